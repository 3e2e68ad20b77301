/** Sends batches to an edge: again where it is out of reach, without those it refuses where it refuses some. */
import type { Entry, Rejection } from './batches.ts';
import { LastingError, request, type RequestOptions } from './request.ts';

export interface SenderOptions extends RequestOptions {
  /** The edge's address; the routes stand below it. */
  readonly url: URL;
}

export interface Sent {
  readonly accepted: number;
  readonly duplicate: number;
  readonly rejected: readonly Rejection[];
}

/** Sends what can be sent of the entries. @throws Error as `request` does, LastingError where there is no edge. */
export type Send = (entries: readonly Entry[]) => Promise<Sent>;

export function createSender(options: SenderOptions): Send {
  const address = below(options.url, 'events');

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

/** Whether the edge has an event of that id. @throws Error as `request` does */
export type Knows = (id: string) => Promise<boolean>;

export function createLookup(options: SenderOptions): Knows {
  return async (id) => {
    const address = below(options.url, `events/${encodeURIComponent(id)}`);
    const { status } = await request(address, { method: 'GET' }, options);
    return status === 200;
  };
}

function below(url: URL, path: string): URL {
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/+$/, '')}/${path}`;
  return address;
}

/** Statuses that speak of the events; other refusals speak of the address, or of who asks. */
const aboutEvents = new Set([400, 409, 413, 422]);

async function ask(address: URL, entries: readonly Entry[], options: SenderOptions): Promise<Answer> {
  const body = `[${entries.map(({ json }) => json).join(',')}]`;
  const { status, text } = await request(address, { method: 'POST', body }, options);
  if (aboutEvents.has(status)) return { ok: false, problem: readProblem(text, status) };
  const answer = status === 200 ? readAnswer(text, entries.length) : undefined;
  if (answer !== undefined) return answer;
  if (status === 401 || status === 403)
    throw new LastingError(`${address.origin} refuses the key: ${readProblem(text, status).detail}`);
  throw new LastingError(`${address.href} answers ${status}, and not as an edge does: check --url.`);
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
