/** How the Worker asks a shard for a live stream: what is wanted crosses in a header, for a WebSocket has no body. */
import { isWireError, MillraceError, type WireError } from '../../src/errors.ts';
import type { Position } from '../../src/storage/position.ts';
import type { EventFilter } from './event-filter.ts';

export interface LiveRequest {
  /** Sends what stands after it. Default: the log's head now. */
  readonly after?: Position | undefined;
  readonly filter: EventFilter;
}

const HEADER = 'millrace-live';
const ERROR_HEADER = 'millrace-error';
/** Characters of what is wanted, encoded: a server of HTTP takes headers of some tens of thousands. */
const MAX_HEADER = 32_768;

/** @throws MillraceError `limit.exceeded` */
export function liveRequest(wanted: LiveRequest, from: Request): Request {
  const header = encodeURIComponent(JSON.stringify(wanted));
  if (header.length > MAX_HEADER) {
    const details = { limit: 'live.filter', maximum: MAX_HEADER, actual: header.length };
    const message = `the pattern, or the rules of the target, take ${header.length} characters, the limit is ${MAX_HEADER}`;
    throw new MillraceError('limit.exceeded', message, details);
  }
  const upgrade = isUpgrade(from) ? { upgrade: 'websocket' } : {};
  return new Request('https://shard/live', {
    headers: { [HEADER]: header, ...upgrade },
    signal: from.signal,
  });
}

export function readLiveRequest(request: Request): LiveRequest {
  return JSON.parse(decodeURIComponent(request.headers.get(HEADER) ?? '%7B%22filter%22%3A%7B%7D%7D'));
}

export function isUpgrade(request: Request): boolean {
  return request.headers.get('upgrade')?.toLowerCase() === 'websocket';
}

/** Carries the error to the Worker. @throws what is no error of ours */
export function refuseLive(error: unknown): Response {
  if (!isWireError(error)) throw error;
  const { code, message, details } = error;
  const wire: WireError = { name: 'MillraceError', code, message, details };
  return new Response(JSON.stringify(wire), { status: 400, headers: { [ERROR_HEADER]: code } });
}

/** The shard's answer. @throws MillraceError the error that it carries */
export async function answeredLive(asked: Promise<Response>): Promise<Response> {
  const response = await asked;
  if (!response.headers.has(ERROR_HEADER)) return response;
  throw MillraceError.fromWire((await response.json()) as WireError);
}
