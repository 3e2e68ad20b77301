/**
 * Traces that begin in the page: an event is captured with its W3C trace context, which worker, edge, deliveries and services
 * carry on. A module of its own, which a page that does not want it never loads.
 *
 * What the page captures while a click is being handled is told as caused by that click. With a tracer, the capture, the
 * commit to the device's log and the way to the edge are spans; without one the context goes along all the same.
 *
 * @example
 * const tracer = new OtlpTracer({ url: 'https://collector.example.com/v1/traces', service: 'shop' });
 * const client = connect({ endpoint, trace: pageTracing({ tracer }) });
 * autocapture(client, { clicks: true });
 */
import type { Event } from '../../src/event/event.ts';
import type { EventOptions } from '../../src/event/factory.ts';
import { causedBy, parseTraceparent, startTrace } from '../../src/event/trace-context.ts';
import { eventAttributes, type Span, type Tracer } from '../../src/monitor/tracing.ts';
import { hasCode } from '../../src/errors.ts';
import { hostPorts } from '../../src/ports.ts';
import type { Committed, Receipt } from './capture-buffer.ts';
import type { TraceableClient } from './client-contract.ts';

export { OtlpTracer, type OtlpStatus, type OtlpTracerOptions } from '../../src/monitor/otlp.ts';

export interface PageTracingOptions {
  /** Who records spans: `OtlpTracer`, or `openTelemetryTracer`. Default: nobody. */
  readonly tracer?: Tracer;
  /** The share of traces that begin here to be recorded, 0 to 1, where the tracer does not decide. Default: 1. */
  readonly sampleRate?: number;
  /** Types that begin a trace, outside of another. Default: `element.clicked` and `form.submitted`. */
  readonly starts?: readonly string[];
}

/** Events on their way to the edge that are watched; of more, the way is not recorded. */
const MOST_ON_THEIR_WAY = 1_000;
const STARTS: readonly string[] = ['element.clicked', 'form.submitted'];

/** For `connect({ trace })`. One for each client. */
export function pageTracing(options: PageTracingOptions = {}): (client: TraceableClient) => void {
  return (client) => {
    const { tracer } = options;
    const way = tracer && new WayToEdge(client, tracer);
    const capture = client.capture.bind(client);
    const context = new PageContext(options);
    client.capture = (type, data, given = {}) => {
      const traced = unlessItThrows(() => context.of(type, given));
      const receipt = capture(type, data, traced?.event ?? given);
      if (traced === undefined) return receipt;
      context.begin(type, receipt.id, traced.event);
      const { span } = traced;
      if (span !== undefined)
        unlessItThrows(() => record(span, { receipt, type, tracer: tracer!, way: way! }));
      return receipt;
    };
  };
}

/** A capture never throws, whatever its tracer does. */
function unlessItThrows<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** What an event is captured with, and the span that the capture is. */
interface TracedCapture {
  readonly event: EventOptions;
  readonly span: Span | undefined;
}

/** In whose handling the page is. */
class PageContext {
  readonly #options: PageTracingOptions;
  readonly #starts: ReadonlySet<string>;
  #current: Pick<Event, 'id' | 'correlationId' | 'traceparent'> | undefined;

  constructor(options: PageTracingOptions) {
    this.#options = options;
    this.#starts = new Set(options.starts ?? STARTS);
  }

  /** `undefined` for what brings its own context, or is part of none. */
  of(type: string, given: EventOptions): TracedCapture | undefined {
    const { tracer, sampleRate = 1 } = this.#options;
    const cause = this.#current;
    if (given.traceparent !== undefined) return undefined;
    if (cause === undefined && !this.#starts.has(type)) return undefined;
    const sampled = hostPorts.random() < sampleRate;
    const parent = cause?.traceparent ?? (sampled ? undefined : startTrace(hostPorts, { sampled }));
    const span = tracer?.startSpan(`capture ${type}`, { parent, kind: 'producer' });
    const traceparent = span?.traceparent ?? parent ?? startTrace(hostPorts, { sampled });
    return { span, event: { ...(cause !== undefined && causedBy(cause)), ...given, traceparent } };
  }

  /** Until the browser has run all listeners of what is going on. */
  begin(type: string, id: string, { traceparent, correlationId }: EventOptions): void {
    if (!this.#starts.has(type)) return;
    const own = (this.#current = { id, traceparent, correlationId });
    hostPorts.after(0, () => {
      if (this.#current === own) this.#current = undefined;
    });
  }
}

/** From the device's log to the edge, as the client's status tells it. */
class WayToEdge {
  readonly #tracer: Tracer;
  readonly #waiting: { readonly position: number; readonly span: Span }[] = [];
  /** The last position that is at the edge. */
  #arrived = 0;

  constructor(client: TraceableClient, tracer: Tracer) {
    this.#tracer = tracer;
    client.onStatus(({ committed, waiting }) => this.#arrive(committed - waiting));
  }

  committed({ position }: Committed, type: string, parent: string): void {
    if (this.#waiting.length >= MOST_ON_THEIR_WAY) return;
    const span = this.#tracer.startSpan(`push ${type}`, { parent, kind: 'client' });
    this.#waiting.push({ position, span });
    // The status may have been quicker than the receipt.
    this.#arrive(this.#arrived);
  }

  /** Of several tabs each knows its own events alone: their positions may come in any order. */
  #arrive(until: number): void {
    this.#arrived = until;
    for (let i = this.#waiting.length - 1; i >= 0; i--)
      if (this.#waiting[i]!.position <= until) this.#waiting.splice(i, 1)[0]!.span.end();
  }
}

interface Recorded {
  readonly receipt: Receipt;
  readonly type: string;
  readonly tracer: Tracer;
  readonly way: WayToEdge;
}

/**
 * The capture lasts until its durable receipt, and awaiting that has the event committed at once: only of events whose trace
 * is recorded. What the visitor has not agreed to leaves no span either.
 */
function record(span: Span, { receipt, type, tracer, way }: Recorded): void {
  if (parseTraceparent(span.traceparent)?.sampled !== true) return;
  const parent = span.traceparent;
  const commit = tracer.startSpan(`commit ${type}`, {
    parent,
    attributes: eventAttributes({ id: receipt.id, type, source: location.origin, priority: 2 }),
  });
  receipt.then(
    (done) => {
      commit.end();
      span.end();
      way.committed(done, type, parent);
    },
    (error: unknown) => {
      if (hasCode(error, 'consent.missing')) return;
      commit.fail(error);
      commit.end();
      span.fail(error);
      span.end();
    },
  );
}
