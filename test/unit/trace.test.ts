/** Trees of causes: against a recursive oracle, and over every kind of source. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createEventFactory,
  EventStore,
  hostPorts,
  openMemory,
  trace,
  traceLimits,
  type Event,
  type TraceNode,
} from 'millrace';
import { arrange } from '../../src/monitor/trace.ts';

const make = createEventFactory({ source: 'shop', ports: hostPorts });
const at = (ms: number, more: object = {}) => ({ timestamp: ms, correlationId: 'visit-1', ...more });

/** `id causationId? timestamp` of each, and what is asked of the result. */
const caused = (id: string, causationId: string | undefined, timestamp = 0): Event =>
  make('page.viewed', null, { id, causationId, timestamp, correlationId: 'visit-1' });

const shape = (nodes: readonly TraceNode[]): string[] =>
  nodes.map(
    ({ id, depth, event, circular }) =>
      '·'.repeat(depth) + id + (event === undefined ? '?' : '') + (circular ? '!' : ''),
  );

/** Ten lines: from every root that is not in a circle downwards. */
function oracle(events: readonly Event[]): string[] {
  const below = (id: string, depth: number): string[] => [
    '·'.repeat(depth) + id,
    ...events.filter((one) => one.causationId === id).flatMap((one) => below(one.id, depth + 1)),
  ];
  const ids = new Set(events.map(({ id }) => id));
  return events
    .filter(({ causationId }) => !ids.has(causationId ?? ''))
    .flatMap(({ id }) => below(id, 0));
}

test('a forest is shown as the oracle shows it, whatever the order in the log', () => {
  const forests = fc
    .array(fc.nat(), { maxLength: 40 })
    .map((parents) => parents.map((n, i) => (n % (i + 2) === 0 ? undefined : `e${(n - 1) % (i + 1)}`)))
    .map((causes) => causes.map((cause, i) => (cause === `e${i}` ? undefined : cause)))
    .map((causes) => causes.map((cause, i) => caused(`e${i}`, cause)))
    .chain((events) => fc.shuffledSubarray(events, { minLength: events.length }));
  fc.assert(
    fc.property(forests, (events) => {
      expect(shape(arrange(events).nodes)).toEqual(oracle(events));
    }),
  );
});

/** What is wrong with the node of an event, or of a cause that is missing. */
function faultOf(
  node: TraceNode,
  nodes: readonly TraceNode[],
  events: readonly Event[],
): string | undefined {
  const { id, depth, event, circular = false } = node;
  const byId = new Map(events.map((one) => [one.id, one]));
  if (event === undefined) return byId.has(id) || depth > 0 ? `${id} is not missing` : undefined;
  const cause = nodes.find((one) => one.id === event.causationId);
  if (depth > 0) return cause?.depth === depth - 1 ? undefined : `${id} is not below its cause`;
  if (!circular) return cause === undefined ? undefined : `${id} has a cause`;
  // It begins a circle: following the causes from it comes back to it.
  let back: Event | undefined = event as Event;
  for (let steps = 0; steps < events.length; steps++) {
    back = byId.get(back?.causationId ?? '');
    if (back?.id === id) return undefined;
  }
  return `${id} is in no circle`;
}

test('every event is shown once, however its causes run, circles and gaps among them', () => {
  const graphs = fc.array(fc.nat(15), { maxLength: 12 });
  fc.assert(
    fc.property(graphs, (causes) => {
      const events = causes.map((cause, i) => caused(`e${i}`, `e${cause}`, 100 - i));
      const missing = new Set(causes.filter((n) => n >= causes.length).map((n) => `e${n}`));
      const { nodes } = arrange(events, [...missing]);
      const ids = nodes.map(({ id }) => id);
      expect(ids.toSorted()).toEqual([...events.map(({ id }) => id), ...missing].toSorted());
      expect(nodes.flatMap((node) => faultOf(node, nodes, events) ?? [])).toEqual([]);
    }),
  );
});

test('a circle begins with its earliest event, and says so', () => {
  const events = [caused('a', 'c', 2), caused('b', 'a', 1), caused('c', 'b', 3), caused('d', 'b', 4)];
  expect(shape(arrange(events).nodes)).toEqual(['b!', '·c', '··a', '·d']);
  expect(shape(arrange([caused('a', 'a')]).nodes)).toEqual(['a!']);
});

test('a chain of ten thousand causes is no deeper than any stack', () => {
  const events = Array.from({ length: traceLimits.events }, (_, i) =>
    caused(`e${i}`, i === 0 ? undefined : `e${i - 1}`),
  );
  const { nodes } = arrange(events);
  expect(nodes).toHaveLength(events.length);
  expect(nodes.at(-1)).toMatchObject({ id: `e${events.length - 1}`, depth: events.length - 1 });
});

async function shop() {
  const log = openMemory();
  const cause = make('page.viewed', {}, { id: 'campaign', timestamp: 900 });
  const events = [
    cause,
    make('product.added', {}, at(1_000, { id: 'click', causationId: 'campaign' })),
    make('order.placed', {}, at(1_250, { id: 'order', causationId: 'click' })),
    make('parcel.packed', {}, at(1_200, { id: 'parcel', causationId: 'order' })),
    make('mail.sent', {}, at(1_400, { id: 'mail', causationId: 'trimmed' })),
    make('page.viewed', {}, { id: 'stranger', correlationId: 'visit-2' }),
  ];
  await log.commit([{ events }]);
  return log;
}

test('a correlation is traced with its causes outside of it, with times, and what is missing', async () => {
  const log = await shop();
  const found = await trace(log, { correlationId: 'visit-1' });
  expect(shape(found.nodes)).toEqual([
    'campaign',
    '·click',
    '··order',
    '···parcel',
    'trimmed?',
    '·mail',
  ]);
  expect(found.nodes[2]).toMatchObject({ afterCauseMs: 250, afterStartMs: 350 });
  expect(found.nodes[3], 'two clocks').toMatchObject({ afterCauseMs: -50 });
  expect(found).toMatchObject({ startedAt: 900, endedAt: 1_400, truncated: false, traceIds: [] });
  expect(found.nodes[1]!.event).not.toHaveProperty('data');
});

test('an event’s own correlation is traced, or its causes; nothing where nothing is known', async () => {
  const log = await shop();
  expect(await trace(log, { id: 'parcel' })).toEqual(await trace(log, { correlationId: 'visit-1' }));
  expect(shape((await trace(log, { id: 'campaign' })).nodes)).toEqual(['campaign']);
  const nothing = { nodes: [], traceIds: [], truncated: false };
  expect(await trace(log, { id: 'nobody' })).toEqual(nothing);
  expect(await trace(log, { correlationId: 'nobody' })).toEqual(nothing);
});

test('an event store and a client are read like a log, page by page', async () => {
  const log = openMemory();
  const events = Array.from({ length: 2_500 }, (_, i) =>
    make('page.viewed', {}, at(i, { id: `e${i}`, causationId: i === 0 ? undefined : `e${i >> 1}` })),
  );
  await log.commit([{ events }]);
  const ofLog = await trace(log, { correlationId: 'visit-1' });
  expect(ofLog.nodes).toHaveLength(2_500);
  expect(await trace(new EventStore(log), { correlationId: 'visit-1' })).toEqual(ofLog);
  const client = {
    getEvent: async (id: string) => events.find((event) => event.id === id),
    getEventsByCorrelationId: async (_: string, { after = '0' }: { after?: string } = {}) => {
      const from = Number(after);
      const page = events.slice(from, from + 700);
      return { events: page, ...(from + 700 < events.length && { next: String(from + 700) }) };
    },
  };
  expect(await trace(client, { correlationId: 'visit-1' })).toEqual(ofLog);
});

test('it is bounded, and says that there is more', async () => {
  const log = openMemory();
  const events = Array.from({ length: traceLimits.events + 1 }, (_, i) =>
    make('page.viewed', {}, at(i)),
  );
  for (let i = 0; i < events.length; i += 1_000)
    await log.commit([{ events: events.slice(i, i + 1_000) }]);
  const found = await trace(log, { correlationId: 'visit-1' });
  expect([found.nodes.length, found.truncated]).toEqual([traceLimits.events, true]);
  // Each has a cause of its own elsewhere: no more are looked up than are allowed.
  const asked: string[] = [];
  const read = async ({ id, correlationId }: { id?: string; correlationId?: string }) => {
    if (id !== undefined) asked.push(id);
    const all = correlationId === undefined ? [] : events.slice(0, 2_000);
    const page = all.map((event, i) => ({
      position: i + 1,
      line: '',
      event: { ...event, causationId: `cause-${i}` },
    }));
    return { events: page, next: 0, more: false, head: 0 };
  };
  const looked = await trace({ read }, { correlationId: 'visit-1' });
  expect([asked.length, looked.truncated]).toEqual([traceLimits.lookups, true]);
  expect(asked).toContain('cause-0');
});

test('a signal ends it', async () => {
  const log = await shop();
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(trace(log, { correlationId: 'visit-1' }, { signal })).rejects.toThrow('enough');
});
