/** Reads a request's body as text, within bounds, before anything is made of it. */
import { MillraceError } from '../../src/errors.ts';
import { pushLimits } from '../../src/sync/protocol.ts';
import { refusal } from './problem.ts';

/**
 * @throws HTTPException 415 for another content type or encoding, 400 for what is no UTF-8
 * @throws MillraceError `limit.exceeded`, as soon as it is known
 */
export async function readBody(
  request: Request,
  mediaTypes: readonly string[],
  maximum: number = pushLimits.bytes,
): Promise<string> {
  checkMediaType(request.headers, mediaTypes);
  const stated = request.headers.get('content-length');
  return stated === null ? readStream(request, maximum) : readStated(request, Number(stated), maximum);
}

/** HTTP ends the body where its header says: it is read in one piece, which takes a third of what a stream does. */
async function readStated(request: Request, stated: number, maximum: number): Promise<string> {
  if (stated > maximum) throw tooLarge(stated, maximum);
  const bytes = await request.arrayBuffer();
  if (bytes.byteLength > maximum) throw tooLarge(bytes.byteLength, maximum);
  return decode(whole, bytes);
}

async function readStream(request: Request, maximum: number): Promise<string> {
  const decoder = createDecoder();
  let text = '';
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (bytes > maximum) throw tooLarge(bytes, maximum);
    text += decode(decoder, chunk, { stream: true });
  }
  return text + decode(decoder);
}

/** Without its parameters, in small letters. */
export function mediaTypeOf(headers: Headers): string {
  return (headers.get('content-type') ?? 'none').split(';', 1)[0]!.trim().toLowerCase();
}

function checkMediaType(headers: Headers, mediaTypes: readonly string[]): void {
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (mediaTypes.includes(mediaTypeOf(headers)) && encoding === 'identity') return;
  const given = headers.get('content-type') ?? 'none';
  const got = encoding === 'identity' ? `content type ${given}` : `content encoding ${encoding}`;
  throw refusal({
    code: 'request.media-type',
    detail: `got ${got}, expected ${mediaTypes.join(' or ')}, not compressed`,
  });
}

/** A byte order mark is no part of the text. */
function createDecoder(): TextDecoder {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
}

/** For what comes in one piece: it keeps nothing between two. */
const whole = createDecoder();

function decode(
  decoder: TextDecoder,
  bytes?: ArrayBuffer | Uint8Array,
  options?: { readonly stream: boolean },
): string {
  try {
    return decoder.decode(bytes, options);
  } catch {
    throw refusal({ code: 'request.malformed', detail: 'the body is no UTF-8' });
  }
}

function tooLarge(actual: number, maximum: number): MillraceError<'limit.exceeded'> {
  return new MillraceError(
    'limit.exceeded',
    `the body is larger than ${maximum} bytes: split it, nothing of it was stored`,
    { limit: 'body.bytes', maximum, actual },
  );
}
