/** What a `POST /events` brings, whatever its form: events in the wire form, which nobody has checked yet. */
import { isWireError } from '../../src/errors.ts';
import {
  cloudEventPointer,
  cloudEventTypes,
  fromCloudEventHeaders,
  wireOfCloudEvent,
} from '../../src/event/cloud-events.ts';
import { parseJson } from './parse.ts';
import { refusal, type FieldProblem } from './problem.ts';
import { mediaTypeOf, readBody } from './request-body.ts';

export interface PublishedBody {
  readonly events: readonly BroughtEvent[];
  /** Whether it is one event by itself, and is answered by itself. */
  readonly single: boolean;
  /** For all that makes the request what it is, where it may come again. */
  readonly text: string;
}

export interface BroughtEvent {
  /** JSON pointer to it in the body. */
  readonly pointer: string;
  readonly value: unknown;
  /** Why it is none at all. */
  readonly problem?: FieldProblem;
  /** The pointer as who brought it has it. */
  readonly own: (pointer: string) => string;
}

const JSON_TYPE = 'application/json';
const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson'];
const TYPES = [JSON_TYPE, ...NDJSON_TYPES, cloudEventTypes.structured, cloudEventTypes.batch];

export interface PublishedLimits {
  readonly bytes: number;
  readonly events: number;
}

/**
 * @throws HTTPException, MillraceError as `readBody` and `parseJson` do, and 413 for too many events, before anything is
 *   made of them: a body of two million commas would fill the memory.
 */
export async function readPublished(request: Request, limits: PublishedLimits): Promise<PublishedBody> {
  const mediaType = mediaTypeOf(request.headers);
  const isCloudEvent = mediaType.startsWith('application/cloudevents');
  const binary = isCloudEvent ? undefined : fromCloudEventHeaders(request.headers);
  if (binary !== undefined) return readBinary(request, binary, limits.bytes);
  const text = await readBody(request, TYPES, limits.bytes);
  if (NDJSON_TYPES.includes(mediaType))
    return { events: readLines(text, limits.events), single: false, text };
  const body = parseJson(text);
  if (mediaType === cloudEventTypes.structured) return alone(fromCloudEvent('', body), text);
  if (mediaType === cloudEventTypes.batch) {
    if (!Array.isArray(body))
      throw refusal({ code: 'request.malformed', detail: 'a batch of CloudEvents is a JSON array' });
    checkCount(body.length, limits.events);
    return { events: body.map((one, index) => fromCloudEvent(`/${index}`, one)), single: false, text };
  }
  if (!Array.isArray(body)) return alone({ pointer: '', value: body, own: asItIs }, text);
  checkCount(body.length, limits.events);
  const events = body.map((value, index) => ({ pointer: `/${index}`, value, own: asItIs }));
  return { events, single: false, text };
}

async function readBinary(
  request: Request,
  attributes: Record<string, unknown>,
  maximum: number,
): Promise<PublishedBody> {
  const mediaType = mediaTypeOf(request.headers);
  const types = mediaType.endsWith('+json') ? [mediaType] : [JSON_TYPE];
  const text = await readBody(request, types, maximum);
  const data = text === '' ? null : parseJson(text);
  const event = fromCloudEvent('', { ...attributes, data });
  return alone(event, `${JSON.stringify(attributes)}\n${text}`);
}

/** Empty lines are nobody's event. */
function readLines(text: string, maximum: number): readonly BroughtEvent[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  checkCount(lines.length, maximum);
  return lines.map((line, index): BroughtEvent => {
    const pointer = `/${index}`;
    try {
      return { pointer, value: JSON.parse(line), own: asItIs };
    } catch {
      return { pointer, value: undefined, problem: { pointer, detail: 'is no JSON' }, own: asItIs };
    }
  });
}

function fromCloudEvent(pointer: string, given: unknown): BroughtEvent {
  try {
    return { pointer, value: wireOfCloudEvent(given), own: cloudEventPointer };
  } catch (error) {
    if (!isWireError(error) || !('path' in error.details)) throw error;
    const { path, reason } = error.details;
    return {
      pointer,
      value: undefined,
      problem: { pointer: pointer + path, detail: reason },
      own: asItIs,
    };
  }
}

function checkCount(actual: number, maximum: number): void {
  if (actual <= maximum) return;
  throw refusal({
    code: 'limit.exceeded',
    detail: `the request has ${actual} events, the limit is ${maximum}: split it, nothing of it was stored`,
    more: { details: { limit: 'request.events', maximum, actual } },
  });
}

function alone(event: BroughtEvent, text: string): PublishedBody {
  return { events: [event], single: true, text };
}

function asItIs(pointer: string): string {
  return pointer;
}
