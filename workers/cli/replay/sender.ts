/** Sends batches to an edge: again where it is out of reach, without those it refuses where it refuses some. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Entry, Rejection } from './batches.ts';

export interface SenderOptions {
  /** The edge's address; the routes stand below it. */
  readonly url: URL;
  readonly signal?: AbortSignal;
  /** Told before each wait for an edge that is out of reach. */
  readonly onRetry?: (reason: string, delayMs: number) => void;
  /** Attempts at one request. Default: 10, which takes about two minutes. */
  readonly attempts?: number;
  /** The longest first wait; twice as long each time, up to 30 s. Default: 250. */
  readonly backoffMs?: number;
}

export interface Sent {
  readonly accepted: number;
  readonly duplicate: number;
  readonly rejected: readonly Rejection[];
}

/** Sends what can be sent of the entries. @throws Error where the edge is out of reach for good, or is no edge. */
export type Send = (entries: readonly Entry[]) => Promise<Sent>;

const MAX_BACKOFF_MS = 30_000;

export function createSender(options: SenderOptions): Send {
  const address = new URL(options.url);
  address.pathname = `${address.pathname.replace(/\/+$/, '')}/events`;

  async function send(entries: readonly Entry[]): Promise<Sent> {
    const rejected: Rejection[] = [];
    let rest = entries;
    while (rest.length > 0) {
      const answer = await ask(address, rest, options);
      if (answer.ok) return { ...answer, rejected };
      const bad = rejections(rest, answer.problem);
      if (bad.length === 0) {
        const halves = await sendHalves(rest);
        return { ...halves, rejected: [...rejected, ...halves.rejected] };
      }
      rejected.push(...bad);
      const lines = new Set(bad.map(({ line }) => line));
      rest = rest.filter(({ line }) => !lines.has(line));
    }
    return { accepted: 0, duplicate: 0, rejected };
  }

  /** The edge refuses without saying what: the ones it means are found by halving. */
  async function sendHalves(entries: readonly Entry[]): Promise<Sent> {
    const middle = Math.ceil(entries.length / 2);
    const left = await send(entries.slice(0, middle));
    const right = await send(entries.slice(middle));
    return {
      accepted: left.accepted + right.accepted,
      duplicate: left.duplicate + right.duplicate,
      rejected: [...left.rejected, ...right.rejected],
    };
  }

  return send;
}

interface Problem {
  readonly detail: string;
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
}

type Answer =
  | { readonly ok: true; readonly accepted: number; readonly duplicate: number }
  | { readonly ok: false; readonly problem: Problem };

function rejections(entries: readonly Entry[], { detail, errors }: Problem): readonly Rejection[] {
  const reasons = new Map<number, string>();
  for (const error of errors) {
    const [, index, path = ''] = /^\/(\d+)(.*)$/s.exec(error.pointer) ?? [];
    const entry = index === undefined ? undefined : entries[Number(index)];
    if (entry === undefined) continue;
    const before = reasons.get(entry.line);
    reasons.set(
      entry.line,
      `${before === undefined ? '' : `${before}; `}${path.slice(1)} ${error.detail}`.trim(),
    );
  }
  const [only] = entries;
  if (reasons.size === 0 && entries.length === 1) reasons.set(only!.line, detail);
  return [...reasons].map(([line, reason]) => ({ line, reason }));
}

/** Statuses that speak of the events; other refusals speak of the address, or of who asks. */
const aboutEvents = new Set([400, 409, 413, 422]);
const later = new Set([408, 425, 429]);

async function ask(address: URL, entries: readonly Entry[], options: SenderOptions): Promise<Answer> {
  const { signal, attempts = 10 } = options;
  const body = `[${entries.map(({ json }) => json).join(',')}]`;
  for (let attempt = 1; ; attempt++) {
    const { answer, reason, retryAfterMs } = await tryOnce(address, body, entries.length, signal);
    if (answer !== undefined) return answer;
    if (attempt >= attempts) throw new Error(`${address.origin} is out of reach: ${reason}.`);
    const delayMs = retryAfterMs ?? backoff(attempt, options.backoffMs ?? 250);
    options.onRetry?.(reason, delayMs);
    await sleep(delayMs, undefined, { signal });
  }
}

interface Attempt {
  readonly answer?: Answer;
  /** Why it is to be tried again. */
  readonly reason: string;
  readonly retryAfterMs?: number | undefined;
}

async function tryOnce(
  address: URL,
  body: string,
  count: number,
  signal?: AbortSignal,
): Promise<Attempt> {
  let response: Response;
  let text: string;
  try {
    const headers = { 'content-type': 'application/json' };
    response = await fetch(address, { method: 'POST', headers, body, signal: signal ?? null });
    text = await response.text();
  } catch (error) {
    signal?.throwIfAborted();
    const cause = (error as Error).cause;
    return { reason: cause instanceof Error ? cause.message || cause.name : (error as Error).message };
  }
  const { status, headers } = response;
  if (status >= 500 || later.has(status)) {
    return { reason: `it answers ${status}`, retryAfterMs: readRetryAfter(headers.get('retry-after')) };
  }
  if (aboutEvents.has(status))
    return { reason: '', answer: { ok: false, problem: readProblem(text, status) } };
  const answer = status === 200 ? readAnswer(text, count) : undefined;
  if (answer !== undefined) return { reason: '', answer };
  throw new Error(`${address.href} answers ${status}, and not as an edge does: check --url.`);
}

function readAnswer(text: string, count: number): Answer | undefined {
  const answers = parse(text);
  if (!Array.isArray(answers) || answers.length !== count) return undefined;
  const statuses = answers.map((answer: { status?: unknown } | null) => answer?.status);
  const accepted = statuses.filter((status) => status === 'published').length;
  const duplicate = statuses.filter((status) => status === 'duplicate').length;
  return accepted + duplicate === count ? { ok: true, accepted, duplicate } : undefined;
}

function readProblem(text: string, status: number): Problem {
  const { detail, errors } = (parse(text) ?? {}) as Record<string, unknown>;
  return {
    detail: typeof detail === 'string' ? detail : `the edge answers ${status}`,
    errors: Array.isArray(errors)
      ? errors.map((error: Record<string, unknown> | null) => ({
          pointer: String(error?.['pointer']),
          detail: String(error?.['detail']),
        }))
      : [],
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Full jitter (Brooker, Exponential Backoff and Jitter, 2015). */
function backoff(attempt: number, firstMs: number): number {
  return Math.random() * Math.min(MAX_BACKOFF_MS, firstMs * 2 ** attempt);
}

function readRetryAfter(value: string | null): number | undefined {
  const seconds = value === null || value.trim() === '' ? Number.NaN : Number(value);
  return seconds >= 0 ? Math.min(seconds * 1000, MAX_BACKOFF_MS) : undefined;
}
