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
  const stated = Number(request.headers.get('content-length') ?? 0);
  if (stated > maximum) throw tooLarge(stated, maximum);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });
  let text = '';
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the body.
    if (bytes > maximum) throw tooLarge(bytes, maximum);
    text += decode(decoder, chunk);
  }
  return text + decode(decoder);
}

/** Without its parameters, in small letters. */
export function mediaTypeOf(headers: Headers): string {
  return (headers.get('content-type') ?? 'none').split(';', 1)[0]!.trim().toLowerCase();
}

function checkMediaType(headers: Headers, mediaTypes: readonly string[]): void {
  const given = headers.get('content-type') ?? 'none';
  const mediaType = mediaTypeOf(headers);
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (mediaTypes.includes(mediaType) && encoding === 'identity') return;
  const got = encoding === 'identity' ? `content type ${given}` : `content encoding ${encoding}`;
  throw refusal({
    code: 'request.media-type',
    detail: `got ${got}, expected ${mediaTypes.join(' or ')}, not compressed`,
  });
}

function decode(decoder: TextDecoder, chunk?: Uint8Array): string {
  try {
    return decoder.decode(chunk, { stream: chunk !== undefined });
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
