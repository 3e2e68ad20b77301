/**
 * Sends spans to a collector by OTLP over HTTP, as JSON: on `fetch` alone, so that it runs in pages, workers, Workers and
 * Node. OpenTelemetry's own exporter brings its SDK along, 60 KB of it for a page; this is what is needed of it.
 *
 * It is bounded: spans wait for others until a batch is full or its time is up, no more than `maxSpans` of them, and what
 * cannot be kept or sent is counted in `status().dropped`. Nothing that goes wrong here reaches who is traced.
 *
 * @see https://opentelemetry.io/docs/specs/otlp/#otlphttp
 */
import { continueTrace, parseTraceparent, startTrace } from '../event/trace-context.ts';
import { hostFetch, hostPorts, type Fetch, type Ports, type Undo } from '../ports.ts';
import { Backoff } from '../sync/backoff.ts';
import { parseRetryAfter } from '../sync/retry-after.ts';
import { otlpRequest, type OtlpSpan } from './otlp-request.ts';
import {
  describeFailure,
  type Attributes,
  type Span,
  type SpanOptions,
  type Tracer,
} from './tracing.ts';

export interface OtlpTracerOptions {
  /** Where spans are posted, as in `https://collector.example.com/v1/traces`. */
  readonly url: string;
  /** Such as the collector's key. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The resource's `service.name`. */
  readonly service: string;
  /** More of the resource's attributes. */
  readonly resource?: Attributes;
  /** Whether to record a trace that begins here. Default: always. */
  readonly sample?: () => boolean;
  /** A span that has ended waits so long for others. Default: 1,000. */
  readonly flushMs?: number;
  /** Spans in one request. Default: 512. */
  readonly maxBatch?: number;
  /** Spans that wait, those on their way among them. Beyond it the newest are dropped. Default: 2,048. */
  readonly maxSpans?: number;
  /** Tries of one request that the collector may take later. Default: 3. */
  readonly attempts?: number;
  /** For one answer. Default: 10,000. */
  readonly timeoutMs?: number;
  /** Default: the host's. */
  readonly fetch?: Fetch;
  /** Default: the host's. */
  readonly ports?: Ports;
}

export interface OtlpStatus {
  /** Ended, and not sent yet. */
  readonly waiting: number;
  /** Taken by the collector. */
  readonly sent: number;
  /** Lost: no room, refused, or out of reach at the last try. */
  readonly dropped: number;
  /** Why the last were lost, until some are taken again. */
  readonly lastError?: string;
}

/** What a request has come to: so many taken, or why none, and whether they may be tried again. */
type Sent =
  | { readonly rejected: number; readonly reason: string | undefined }
  | { readonly error: string; readonly again: boolean; readonly retryAfterMs?: number | undefined };

/** Statuses after which a client may try again (OTLP/HTTP, "Retryable response codes"). */
const LATER = new Set([429, 502, 503, 504]);

export class OtlpTracer implements Tracer, AsyncDisposable {
  readonly #options: OtlpTracerOptions;
  readonly #ports: Ports;
  #waiting: OtlpSpan[] = [];
  #onTheirWay = 0;
  #sent = 0;
  #dropped = 0;
  #lastError: string | undefined;
  #undoTimer: Undo | undefined;
  #sending: Promise<void> | undefined;
  #ended = false;

  constructor(options: OtlpTracerOptions) {
    this.#options = options;
    this.#ports = options.ports ?? hostPorts;
  }

  startSpan(name: string, options: SpanOptions = {}): Span {
    const { sample = () => true } = this.#options;
    const { parent, kind = 'internal', startMs = this.#ports.now(), attributes = {} } = options;
    const traceparent =
      continueTrace(parent, this.#ports) ?? startTrace(this.#ports, { sampled: sample() });
    const { traceId, spanId, sampled } = parseTraceparent(traceparent)!;
    const parentId = parseTraceparent(parent)?.spanId;
    let failure: OtlpSpan['failure'];
    let ended = !sampled;
    return {
      traceparent,
      fail: (error) => void (failure = describeFailure(error)),
      end: (endMs = this.#ports.now()) => {
        if (ended) return;
        ended = true;
        this.#add({ name, traceId, spanId, parentId, kind, startMs, endMs, attributes, failure });
      },
    };
  }

  status(): OtlpStatus {
    return {
      waiting: this.#waiting.length + this.#onTheirWay,
      sent: this.#sent,
      dropped: this.#dropped,
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
    };
  }

  /** Sends what waits. Resolves when it was taken or given up; never rejects. */
  flush(): Promise<void> {
    this.#undoTimer?.();
    this.#undoTimer = undefined;
    return (this.#sending ??= this.#sendAll().finally(() => (this.#sending = undefined)));
  }

  /** Sends what waits. Spans that end later are dropped. */
  async dispose(): Promise<void> {
    this.#ended = true;
    await this.flush();
    await this.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #add(span: OtlpSpan): void {
    const { maxSpans = 2_048, maxBatch = 512, flushMs = 1_000 } = this.#options;
    if (this.#ended) return this.#lost(1, 'the tracer was disposed');
    if (this.#waiting.length + this.#onTheirWay >= maxSpans) return this.#lost(1, 'no room is left');
    this.#waiting.push(span);
    if (this.#waiting.length >= maxBatch) void this.flush();
    else this.#undoTimer ??= this.#ports.after(flushMs, () => void this.flush());
  }

  async #sendAll(): Promise<void> {
    const { maxBatch = 512 } = this.#options;
    while (this.#waiting.length > 0) {
      const spans = this.#waiting.splice(0, maxBatch);
      this.#onTheirWay = spans.length;
      await this.#sendBatch(spans);
      this.#onTheirWay = 0;
    }
  }

  async #sendBatch(spans: readonly OtlpSpan[]): Promise<void> {
    const { attempts = 3, service, resource } = this.#options;
    const body = otlpRequest(spans, { 'service.name': service, ...resource });
    const backoff = new Backoff(this.#ports);
    for (let attempt = 1; ; attempt++) {
      const sent = await this.#send(body);
      if ('rejected' in sent) {
        this.#lastError = undefined;
        const rejected = Math.min(sent.rejected, spans.length);
        this.#sent += spans.length - rejected;
        if (rejected > 0) this.#lost(rejected, sent.reason ?? 'the collector rejected them');
        return;
      }
      if (!sent.again || attempt >= attempts) return this.#lost(spans.length, sent.error);
      const delayMs = backoff.failed(sent.retryAfterMs);
      await new Promise<void>((resolve) => this.#ports.after(delayMs, resolve));
    }
  }

  async #send(body: string): Promise<Sent> {
    const { url, headers, timeoutMs = 10_000, fetch = hostFetch } = this.#options;
    const timeout = new AbortController();
    const undo = this.#ports.after(timeoutMs, () => timeout.abort());
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        signal: timeout.signal,
        cache: 'no-store',
        // The page's last spans outlive it, where they are few: 64 KiB of such requests at a time.
        keepalive: body.length < KEEPALIVE_CHARACTERS,
      });
      const text = await response.text();
      if (response.status >= 200 && response.status < 300) return readAnswer(text);
      const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), this.#ports.now());
      const error = `the collector answered ${response.status}: ${text.slice(0, 200)}`;
      return { error, again: LATER.has(response.status), retryAfterMs };
    } catch (error) {
      const reason = timeout.signal.aborted ? `no answer within ${timeoutMs} ms` : String(error);
      return { error: `${url} is out of reach: ${reason}`, again: true };
    } finally {
      undo();
    }
  }

  #lost(count: number, reason: string): void {
    this.#dropped += count;
    this.#lastError = reason;
  }
}

const KEEPALIVE_CHARACTERS = 32_768;

/** A collector may take a part, and says how many it did not (`partialSuccess`). Any other text is a plain success. */
function readAnswer(text: string): Sent {
  try {
    const { partialSuccess } = JSON.parse(text) as {
      readonly partialSuccess?: { readonly rejectedSpans?: unknown; readonly errorMessage?: unknown };
    };
    const rejected = Number(partialSuccess?.rejectedSpans ?? 0);
    const reason = partialSuccess?.errorMessage;
    return {
      rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0,
      reason: typeof reason === 'string' ? reason : undefined,
    };
  } catch {
    return { rejected: 0, reason: undefined };
  }
}
