/** What must not compile of the edge's typed client, and what must. */
import { hc } from 'hono/client';
import type { EdgeApi } from '../../workers/edge/app.ts';

const edge = hc<EdgeApi>('https://events.example.com', { headers: { authorization: 'Bearer key' } });

export async function compiles(): Promise<string> {
  const published = await edge.events.$post({
    json: { type: 'order.placed', data: { total: 30 }, source: 'till' },
    query: { partial: 'true' },
    header: {},
  });
  const outcome = await published.json();
  const [first] = Array.isArray(outcome) ? outcome : [outcome];
  if (first !== undefined && 'event_id' in first) return first.event_id;
  const page = await edge.events.$get({ query: { type: ['order.placed', 'order.paid'], limit: '10' } });
  const { events, next } = await page.json();
  const named: string | undefined = events[0]?.type;
  const one = await edge.events[':id'].explain.$get({ param: { id: 'e-1' }, query: {} });
  const { rules } = await one.json();
  const matched: boolean | undefined = rules[0]?.matched;
  const made = await edge.subscriptions.$post({
    json: { service_name: 's', event_types: ['order.placed'], callback_url: 'https://shop.example' },
  });
  const subscription = await made.json();
  const id = 'id' in subscription ? subscription.id : '';
  const trail = await edge.subscriptions[':id'].deliveries.$get({
    param: { id },
    query: { limit: '5' },
  });
  const attempts: number | undefined = (await trail.json()).deliveries[0]?.attempts;
  await edge.subscriptions[':id'].replay.$post({ param: { id }, json: { from: 'start' } });
  const head = await edge.sync.head.$get({ query: { producer: 'p' } });
  const { seq } = await head.json();
  const { windows } = await (await edge.windows.$get({ query: {} })).json();
  const size: number | undefined = windows[0]?.size_ms;
  return `${next} ${named} ${matched} ${attempts} ${seq + 1} ${size}`;
}

export async function doesNotCompile(): Promise<void> {
  // @ts-expect-error a field that has another type
  await edge.events.$post({ json: { type: 7, data: 1, source: 's' }, query: {}, header: {} });
  // @ts-expect-error a parameter that there is not
  await edge.events.$get({ query: { colour: 'red' } });
  // @ts-expect-error a method that the address does not have
  await edge.rules.$post({});
  // @ts-expect-error a callback that is missing
  await edge.subscriptions.$post({ json: { service_name: 's', event_types: ['order.placed'] } });
  // @ts-expect-error a producer that is missing
  await edge.sync.head.$get({ query: {} });
  const page = await edge.events.$get({ query: {} });
  // @ts-expect-error a member that the answer does not have
  void (await page.json()).items;
}
