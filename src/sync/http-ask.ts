/**
 * Asks an edge over HTTP: an answer's text, or the error that its status and problem details (RFC 9457) stand for. What
 * cannot be understood is an edge that is out of reach, never a success.
 */
import { MillraceError, type ErrorCode, type ErrorDetails } from '../errors.ts';
import type { Fetch, Ports } from '../ports.ts';
import { parseRetryAfter } from './retry-after.ts';

export interface HttpOptions {
  /** Where the edge is, as in `https://events.example.com`. A path is kept, and the routes stand below it. */
  readonly endpoint: string;
  /** An API key of the edge. */
  readonly key?: string | undefined;
  readonly fetch: Fetch;
  readonly ports: Pick<Ports, 'now' | 'after'>;
  /** For the whole answer. Default: 15,000. */
  readonly timeoutMs?: number | undefined;
}

export interface HttpRequest {
  /** The route, with its query. */
  readonly path: string;
  /** Default: `POST` where there is a body, else `GET`. */
  readonly method?: 'PATCH' | 'DELETE';
  /** Posted where there is one. */
  readonly body?: string | undefined;
  readonly contentType?: string;
  /** By which the edge knows that a request comes again: it gets the first outcome. */
  readonly idempotencyKey?: string | undefined;
  /** Whether it may outlive the page: 64 KiB of such requests at a time, by the Fetch standard. */
  readonly keepalive?: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Whether the body says that it is problem details: an edge's own word, then, and no gateway's. */
  readonly isProblem: boolean;
  readonly retryAfterMs: number | undefined;
}

/**
 * Resolves to the body of a success.
 *
 * @throws MillraceError `sync.unreachable` for what may be tried again, `sync.refused` for what may not, and
 *   `producer.gap`, `producer.fenced`, `producer.diverged` where the edge says so.
 */
export type Ask = (request: HttpRequest) => Promise<string>;

type Response = Awaited<ReturnType<Fetch>>;

/** What `read` makes of a success. The time-out ends with it. @throws MillraceError as `Ask` does */
export type Exchange = <T>(
  request: HttpRequest,
  read: (response: Response) => T | Promise<T>,
) => Promise<T>;

export function createAsk(options: HttpOptions): Ask {
  const exchange = createExchange(options);
  return (request) => exchange(request, (response) => response.text());
}

export function createExchange(options: HttpOptions): Exchange {
  const endpoint = options.endpoint.replace(/\/+$/, '');
  const { key, fetch, ports, timeoutMs = 15_000 } = options;
  const authorization: Record<string, string> =
    key === undefined ? {} : { authorization: `Bearer ${key}` };
  return async (request, read) => {
    const { path, method, body, contentType = 'application/json', keepalive = false, signal } = request;
    const { idempotencyKey } = request;
    const timeout = new AbortController();
    const undo = ports.after(timeoutMs, () => timeout.abort());
    try {
      const response = await fetch(endpoint + path, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          ...authorization,
          ...(body !== undefined && { 'content-type': contentType }),
          ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        },
        ...(body !== undefined && { body }),
        signal: signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]),
        cache: 'no-store',
        keepalive,
      });
      const { status } = response;
      if (status >= 200 && status < 300) return await read(response);
      const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), ports.now());
      const isProblem = PROBLEM.test(response.headers.get('content-type') ?? '');
      throw errorOf({ status, isProblem, body: await response.text(), retryAfterMs }, endpoint);
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause;
      const why = timeout.signal.aborted
        ? `no answer within ${timeoutMs} ms`
        : String((cause as Error)?.message ?? cause);
      throw unreachable(endpoint, why, {}, cause);
    } finally {
      undo();
    }
  };
}

/** The answer as `read` understands it. @throws MillraceError `sync.unreachable` where it does not: no edge says that. */
export async function understood<T>(
  asked: Promise<string>,
  read: (body: string) => T | undefined,
  endpoint: string,
): Promise<T> {
  const answer = read(await asked);
  if (answer !== undefined) return answer;
  throw unreachable(endpoint, 'its answer is none that an edge gives; is this its address?');
}

/** Statuses that say "not now": to be tried again, like any 5xx. */
const LATER = new Set([408, 425, 429]);
const PROBLEM = /^application\/problem\+json\b/i;

function errorOf({ status, isProblem, body, retryAfterMs }: Answer, endpoint: string): MillraceError {
  if (status < 400 || status >= 500 || LATER.has(status)) {
    return unreachable(endpoint, `it answered ${status}`, {
      status,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  const problem = readProblem(body);
  const reason = String(problem['detail'] ?? problem['title'] ?? `status ${status}`).slice(0, 500);
  const producerError = producerErrorOf(problem, reason);
  if (producerError !== undefined) return producerError;
  const rejected = readRejected(problem['rejected']);
  const details: ErrorDetails['sync.refused'] = {
    endpoint,
    status,
    reason,
    ...(rejected.length > 0 && { rejected }),
    // Many a gateway answers JSON with a `code` of its own; problem details are an edge's.
    ...(isProblem && isText(problem['code']) && { code: problem['code'] }),
  };
  return new MillraceError('sync.refused', `${endpoint} refused with ${status}: ${reason}`, details);
}

/** Problem details (RFC 9457): the error's details are extension members, at the top or under `details`. */
function readProblem(body: string): Record<string, unknown> {
  try {
    const problem: unknown = JSON.parse(body);
    if (typeof problem !== 'object' || problem === null) return {};
    return {
      ...problem,
      ...('details' in problem && typeof problem.details === 'object' && problem.details),
    };
  } catch {
    return {};
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** The errors that a producer acts on, and the numbers that it needs of each. */
const PRODUCER_ERRORS: Readonly<Record<string, readonly string[]>> = {
  'producer.gap': ['expected', 'received'],
  'producer.fenced': ['epoch', 'current'],
  'producer.diverged': ['seq'],
  'chain.broken': [],
} satisfies { readonly [Code in ErrorCode]?: readonly (keyof ErrorDetails[Code])[] };

function producerErrorOf(problem: Record<string, unknown>, reason: string): MillraceError | undefined {
  const code = String(problem['code']);
  const numbers = Object.hasOwn(PRODUCER_ERRORS, code) ? PRODUCER_ERRORS[code] : undefined;
  if (!numbers?.every((name) => Number.isSafeInteger(problem[name]))) return undefined;
  const details = { ...problem, producer: String(problem['producer']) } as unknown;
  return new MillraceError(code as 'producer.gap', reason, details as ErrorDetails['producer.gap']);
}

function readRejected(value: unknown): { index: number; reason: string }[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((entry) => Number.isSafeInteger(entry?.index) && entry.index >= 0)
    .map((entry) => ({ index: entry.index as number, reason: String(entry.reason).slice(0, 500) }));
}

function unreachable(
  endpoint: string,
  why: string,
  details: { status?: number; retryAfterMs?: number } = {},
  cause?: unknown,
): MillraceError<'sync.unreachable'> {
  const text = `${endpoint} cannot be reached: ${why}; try again later`;
  return new MillraceError('sync.unreachable', text, { endpoint, ...details }, { cause });
}
