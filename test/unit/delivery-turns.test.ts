/** A long reading gives everybody else their turns: objects of one process answer each other with none in between. */
import { expect, it } from 'vitest';
import { hostPorts } from '../../src/ports.ts';
import { Deliverer } from '../../workers/edge/delivery/deliverer.ts';
import { Receiver } from './delivery-receiver.ts';
import { Shop } from './delivery-shop.ts';

/** Far more than are read before a timer comes, were there turns. */
const PAGES = 20_000;

it('lets timers and the network come between two pages, however many there are', async () => {
  await using receiver = await Receiver.listen();
  const { database } = new Shop(receiver);
  let pages = 0;
  let turned = false;
  const deliverer = new Deliverer({
    database,
    sources: [
      {
        name: 'shard-0',
        page: async () => {
          if (pages++ === 0) setTimeout(() => (turned = true), 0);
          return { lines: [], next: pages, more: !turned && pages < PAGES, head: PAGES };
        },
      },
    ],
    fetch: (input, init) => fetch(input, init),
    resolve: async () => ['93.184.216.34'],
    rules: { allowLoopback: true },
    ports: hostPorts,
    onError: () => undefined,
  });
  await deliverer.run();
  expect(turned).toBe(true);
  expect(pages).toBeLessThan(PAGES);
});
