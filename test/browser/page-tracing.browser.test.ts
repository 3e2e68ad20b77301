/** Traces that begin in a page, with its real client and log. The way to the edge and on is in `e2e/tracing.test.ts`. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Event } from '../../src/event/event.ts';
import { parseTraceparent, startTrace } from '../../src/event/trace-context.ts';
import { OtlpTracer } from '../../src/monitor/otlp.ts';
import type { Tracer } from '../../src/monitor/tracing.ts';
import { hostPorts } from '../../src/ports.ts';
import { connect, type Client, type ConnectOptions } from '../../workers/browser/client.ts';
import { pageTracing } from '../../workers/browser/tracing.ts';

/** Nothing listens there, and Chromium refuses the port at once. */
const NOWHERE = 'http://127.0.0.1:9/';
const clients: Client[] = [];
let logs = 0;

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.dispose()));
});

function open(options: Partial<ConnectOptions>): Client {
  const log = `tracing-${Date.now()}-${++logs}`;
  const client = connect({ endpoint: NOWHERE, sync: false, source: 'shop', log, ...options });
  clients.push(client);
  return client;
}

/** The spans that have ended, by name, as they would be sent. */
function recorder(): { readonly tracer: OtlpTracer; readonly names: () => Promise<string[]> } {
  const bodies: string[] = [];
  const tracer = new OtlpTracer({
    url: NOWHERE,
    service: 'page',
    fetch: async (_, { body = '' }) => {
      bodies.push(body);
      return new Response('{}') as never;
    },
  });
  const names = async (): Promise<string[]> => {
    await tracer.flush();
    return bodies.flatMap((body) =>
      [...body.matchAll(/"name":"((?:capture|commit|push) [^"]*)"/g)].map(([, name]) => name!),
    );
  };
  return { tracer, names };
}

async function eventsOf(client: Client): Promise<readonly Event[]> {
  await client.flush();
  return (await client.query()).events.map(({ event }) => event);
}

const turn = (): Promise<void> => new Promise((done) => setTimeout(done, 10));
const traceOf = ({ traceparent }: Event): string | undefined => parseTraceparent(traceparent)?.traceId;

describe('a page’s trace', () => {
  it('begins with a click, goes on with what its handling captures, and ends with that', async () => {
    const { tracer, names } = recorder();
    const client = open({ trace: pageTracing({ tracer }) });
    client.capture('page.viewed', {});
    client.capture('element.clicked', {});
    client.capture('product.added', {}, { subject: 'cart-1' });
    await turn();
    client.capture('page.idled', {});
    client.capture('form.submitted', {}, { correlationId: 'visit-1' });
    await client.capture('order.placed', {});
    const [viewed, clicked, added, idled, submitted, placed] = await eventsOf(client);
    expect([viewed, idled].map((event) => event?.traceparent)).toEqual([undefined, undefined]);
    expect(added).toMatchObject({
      causationId: clicked!.id,
      correlationId: clicked!.id,
      subject: 'cart-1',
    });
    expect(placed).toMatchObject({ causationId: submitted!.id, correlationId: 'visit-1' });
    expect(traceOf(added!)).toBe(traceOf(clicked!));
    expect(traceOf(placed!)).toBe(traceOf(submitted!));
    expect(traceOf(placed!)).not.toBe(traceOf(added!));
    const captured = ['element.clicked', 'product.added', 'form.submitted', 'order.placed'];
    const ended = captured.flatMap((type) => [`capture ${type}`, `commit ${type}`]);
    await expect.poll(async () => (await names()).toSorted()).toEqual(ended.toSorted());
  });

  it('is there without a tracer too, and an event’s own context stays', async () => {
    const client = open({ trace: pageTracing({ starts: ['visit.began'] }) });
    const own = startTrace(hostPorts);
    client.capture('visit.began', {});
    client.capture('page.viewed', {});
    client.capture('order.placed', {}, { traceparent: own });
    const [began, viewed, placed] = await eventsOf(client);
    expect(traceOf(viewed!)).toBe(traceOf(began!));
    expect(placed!.traceparent).toBe(own);
  });

  it('that is not sampled says so in its events, and has no span', async () => {
    const { tracer, names } = recorder();
    const client = open({ trace: pageTracing({ tracer, sampleRate: 0 }) });
    client.capture('element.clicked', {});
    client.capture('order.placed', {});
    const events = await eventsOf(client);
    expect(events.map((event) => parseTraceparent(event.traceparent)?.sampled)).toEqual([false, false]);
    expect(traceOf(events[0]!)).toBe(traceOf(events[1]!));
    expect(await names()).toEqual([]);
  });

  it('leaves no span of what the visitor has not agreed to', async () => {
    const { tracer, names } = recorder();
    const client = open({ consent: 'required', trace: pageTracing({ tracer }) });
    const refused = await Promise.resolve(client.capture('element.clicked', {})).catch(
      (error: unknown) => error,
    );
    expect(refused).toMatchObject({ code: 'consent.missing' });
    await client.grantConsent();
    await turn();
    await client.capture('form.submitted', {});
    await expect
      .poll(async () => (await names()).toSorted())
      .toEqual(['capture form.submitted', 'commit form.submitted']);
  });

  it('never costs an event, whatever its tracer does', async () => {
    const tracer: Tracer = {
      startSpan: () => {
        throw new Error('the tracer is broken');
      },
    };
    const client = open({ trace: pageTracing({ tracer }) });
    await client.capture('element.clicked', {});
    await client.capture('order.placed', {});
    expect(await eventsOf(client)).toHaveLength(2);
  });
});
