/**
 * One request to a callback: its address is judged first, a time-out ends it, no redirect is followed, and of the answer
 * no more is read than is kept.
 */
import { isWireError } from '../../../src/errors.ts';
import type { Ports } from '../../../src/ports.ts';
import { parseRetryAfter } from '../../../src/sync/retry-after.ts';
import { objectionToCallback, type CallbackRules } from './callback-url.ts';
import type { Answer } from './outcome.ts';
import type { Resolve } from './resolver.ts';

export interface ContactOptions {
  readonly fetch: typeof fetch;
  readonly resolve: Resolve;
  readonly rules: CallbackRules;
  readonly ports: Pick<Ports, 'now' | 'after'>;
}

export interface Contact {
  readonly url: string;
  readonly method: 'POST' | 'OPTIONS';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
}

/** The answer, and its headers where there was one. */
export type Contacted = Answer & { readonly headers?: Headers };

/** What is read of an answer that is no success, and how much of that is kept. */
const EXCERPT_BYTES = 1_024;
const EXCERPT_CHARACTERS = 256;

/** Never rejects: whatever happens is the answer. */
export async function contact(given: Contact, options: ContactOptions): Promise<Contacted> {
  const { ports, resolve, rules } = options;
  const started = ports.now();
  const latencyMs = () => ports.now() - started;
  try {
    const objection = await objectionToCallback(given.url, resolve, rules);
    if (objection !== undefined) return { error: `the callback ${objection}`, latencyMs: latencyMs() };
    const answer = await request(given, options);
    return { ...answer, latencyMs: latencyMs() };
  } catch (error) {
    return { error: describe(error), latencyMs: latencyMs() };
  }
}

async function request(
  { url, method, headers, body, timeoutMs }: Contact,
  { fetch, ports }: ContactOptions,
): Promise<Omit<Contacted, 'latencyMs'>> {
  const controller = new AbortController();
  const late = new Error(`no answer within ${timeoutMs} ms`);
  const undo = ports.after(timeoutMs, () => controller.abort(late));
  try {
    const response = await fetch(url, {
      method,
      headers: { ...headers, 'user-agent': 'Millrace' },
      redirect: 'manual',
      signal: controller.signal,
      ...(body !== undefined && { body }),
    });
    const excerpt = response.ok ? await leave(response) : await readExcerpt(response);
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after'), ports.now());
    return {
      status: response.status,
      headers: response.headers,
      ...(excerpt !== undefined && excerpt !== '' && { excerpt }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  } catch (error) {
    throw controller.signal.aborted ? late : error;
  } finally {
    undo();
  }
}

/** A success says all by its status. */
async function leave(response: Response): Promise<undefined> {
  await response.body?.cancel().catch(() => undefined);
}

async function readExcerpt(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  const reader = response.body?.getReader();
  try {
    while (reader !== undefined && bytes < EXCERPT_BYTES) {
      const { value, done } = await reader.read();
      if (done) break;
      bytes += value.byteLength;
      text += decoder.decode(value.subarray(0, EXCERPT_BYTES), { stream: true });
    }
    await reader?.cancel();
  } catch {
    // The status has come, and says enough.
  }
  return text.slice(0, EXCERPT_CHARACTERS);
}

function describe(error: unknown): string {
  if (isWireError(error) && 'reason' in error.details) return `not resolved: ${error.details.reason}`;
  const { message, cause } = error instanceof Error ? error : new Error(String(error));
  const inner = cause instanceof Error && cause.message !== '' ? `: ${cause.message}` : '';
  return (message + inner).slice(0, EXCERPT_CHARACTERS);
}
