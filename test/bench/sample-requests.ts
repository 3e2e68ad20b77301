/** Events for benchmarks: requests to a web site, of about 380 characters each, from a seed. */
import { makeEvent, type Event } from '../../src/event/event.ts';
import { createIds } from '../../src/event/ids.ts';
import { encodeLine } from '../../src/event/wire.ts';

const TYPES = ['page.viewed', 'asset.requested', 'asset.requested', 'page.failed'] as const;
const AGENT =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/32.0.1700.77 Safari/537.36';
/** As in the log of a real site: some 30 visitors in 100 requests that follow on each other, of 1,000 in all. */
const VISITORS = 1_000;
const AT_A_TIME = 12;
const SHARE_OF_NEWCOMERS = 4;

/** Each is encoded already, as it is when it reaches a log. */
export function sampleRequests(count: number): readonly Event[] {
  let now = 1_700_000_000_000;
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * below);
  };
  const fillRandom = (bytes: Uint8Array): void => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = random(256);
  };
  const nextId = createIds({ now: () => now, fillRandom });
  const present = Array.from({ length: AT_A_TIME }, () => random(VISITORS));
  return Array.from({ length: count }, () => {
    now += random(20);
    const visitor = random(AT_A_TIME);
    if (random(SHARE_OF_NEWCOMERS) === 0) present[visitor] = random(VISITORS);
    const event = makeEvent({
      id: nextId(),
      type: TYPES[random(TYPES.length)]!,
      data: { path: `/articles/${random(5_000)}`, status: 200, bytes: random(90_000), agent: AGENT },
      timestamp: now,
      source: 'https://shop.example',
      priority: 2,
      correlationId: `visitor-${present[visitor]}`,
      causationId: undefined,
      subject: undefined,
    });
    encodeLine(event);
    return event;
  });
}

/** The array in pieces of `size`. */
export function inBatches<T>(all: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
    all.slice(i * size, (i + 1) * size),
  );
}
