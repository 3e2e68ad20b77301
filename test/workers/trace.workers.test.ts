/** The W3C trace of events at the edge, and `GET /trace/{id}`. */
import { reset } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import { encodeLine } from '../../src/event/wire.ts';
import { makeEvent } from '../../src/event/event.ts';
import { ask, bearer, json, order, problem, publish, pushLines } from './edge-client.ts';

beforeEach(reset);

const T = '2026-01-31T09:30:00.000Z';
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const OTHER = '00-11111111111111111111111111111111-2222222222222222-01';

function publishWith(traceparent: string, event: object): Promise<Response> {
  const headers = { 'content-type': 'application/json', traceparent };
  return ask('/events', { method: 'POST', body: JSON.stringify(event), headers });
}

describe('a traceparent', () => {
  it('is kept with the event that brings it, and refused by pointer where it is none', async () => {
    await json(publish({ ...order, id: 'e-1', traceparent: TRACE }));
    expect(await json(ask('/events/e-1'))).toMatchObject({ traceparent: TRACE });
    for (const traceparent of ['nonsense', 7, `${TRACE}-more`]) {
      const { status, errors } = await problem(publish({ ...order, traceparent }));
      expect([status, errors?.[0]?.pointer]).toEqual([400, '/traceparent']);
    }
  });

  it('of the request is that of the events without one', async () => {
    await json(
      publishWith(TRACE, [
        { ...order, id: 'a' },
        { ...order, id: 'b', traceparent: OTHER },
      ]),
    );
    expect(await json(ask('/events/a'))).toMatchObject({ traceparent: TRACE });
    expect(await json(ask('/events/b'))).toMatchObject({ traceparent: OTHER });
    await json(publishWith('nonsense', { ...order, id: 'c' }));
    expect(await json(ask('/events/c'))).not.toHaveProperty('traceparent');
  });

  it('is not what an event says: the same event by another trace is known', async () => {
    const event = { ...order, id: 'e-1', timestamp: T };
    await json(publishWith(TRACE, event));
    expect(await json(publishWith(OTHER, event))).toMatchObject({ status: 'duplicate' });
    expect(await json(ask('/events/e-1'))).toMatchObject({ traceparent: TRACE });
  });

  it('comes with a push to the letter', async () => {
    const event = makeEvent({
      ...{ id: 'e-1', type: 'order.placed', data: {}, source: 'page', priority: 2, timestamp: 0 },
      traceparent: TRACE,
    });
    const line = encodeLine(event);
    await json(pushLines({ producer: 'p-1', epoch: 1, seq: 1, count: 1, holes: [] }, [line]));
    expect(await (await ask('/events/e-1')).text()).toBe(line);
  });
});

interface Traced {
  readonly events: readonly { readonly id: string; readonly depth: number }[];
}

describe('GET /trace/:id', () => {
  const at = (second: number): string => `2026-01-31T09:30:0${second}.000Z`;

  it('tells causes before effects, with times, by the correlation or any of its events', async () => {
    await json(
      publish([
        { ...order, id: 'click', timestamp: at(0), traceparent: TRACE },
        { ...order, id: 'order', timestamp: at(1), causation_id: 'click', correlation_id: 'click' },
        { ...order, id: 'parcel', timestamp: at(3), causation_id: 'order', correlation_id: 'click' },
        { ...order, id: 'mail', timestamp: at(2), causation_id: 'gone', correlation_id: 'click' },
        { ...order, id: 'stranger', timestamp: at(2) },
      ]),
    );
    const trace = await json<Traced>(ask('/trace/click'));
    expect(trace).toMatchObject({
      events: [
        { id: 'click', depth: 0, after_start_ms: 0, deliveries: [] },
        { id: 'order', depth: 1, after_cause_ms: 1_000, type: 'order.placed' },
        { id: 'parcel', depth: 2, after_cause_ms: 2_000, after_start_ms: 3_000 },
        { id: 'gone', depth: 0, missing: true },
        { id: 'mail', depth: 1, causation_id: 'gone' },
      ],
      trace_ids: ['0af7651916cd43dd8448eb211c80319c'],
      started_at: at(0),
      ended_at: at(3),
      truncated: false,
    });
    expect(JSON.stringify(trace)).not.toContain('total');
    expect(await json(ask('/trace/parcel'))).toEqual(trace);
    expect(await json(ask('/trace/stranger'))).toMatchObject({ events: [{ id: 'stranger' }] });
  });

  it('knows nothing of another tenant’s, nor of what is not there', async () => {
    await json(publish({ ...order, id: 'e-1' }));
    const headers = { authorization: bearer('stranger') };
    expect((await problem(ask('/trace/e-1', { headers }))).code).toBe('request.not-found');
    expect((await problem(ask('/trace/nobody'))).status).toBe(404);
    expect((await problem(ask('/trace/e-1?more=1'))).status).toBe(400);
  });

  it('shows events that are among their own causes once', async () => {
    await json(
      publish([
        { ...order, id: 'a', causation_id: 'b', correlation_id: 'c' },
        { ...order, id: 'b', causation_id: 'a', correlation_id: 'c' },
      ]),
    );
    const { events } = await json<Traced>(ask('/trace/c'));
    expect(events).toMatchObject([{ depth: 0, circular: true }, { depth: 1 }]);
  });
});
