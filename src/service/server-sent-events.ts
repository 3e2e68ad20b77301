/** Server-sent events as they come over `fetch`, which every host has, where `EventSource` is not everywhere. */
import type { ByteStream } from '../ports.ts';

export interface ServerSentEvent {
  /** Of this event alone; `undefined` where it names none. */
  readonly id?: string;
  /** Default: `message`. */
  readonly event: string;
  /** `undefined` where there is none: such a frame only brings the id. */
  readonly data?: string;
}

/** The longest event, in characters: an event's line and what stands around it. */
const LONGEST = 1_048_576;

/**
 * Reads the stream as the standard has it. It reads on when it is asked for the next, and cancels the stream when nobody
 * asks any more.
 *
 * @param wait Called around each read, to give up on one that never comes.
 * @throws RangeError for an event beyond 1,048,576 characters: no edge sends that.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function* readServerSentEvents(
  stream: ByteStream,
  wait: <T>(reading: Promise<T>) => Promise<T>,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const reader = stream.getReader();
  const frames = new Frames();
  try {
    for (;;) {
      const { done, value } = await wait(reader.read());
      if (done) return;
      yield* frames.take(value!);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

class Frames {
  readonly #decoder = new TextDecoder();
  #text = '';
  #lines: string[] = [];
  #length = 0;

  *take(bytes: Uint8Array): Generator<ServerSentEvent> {
    const text = this.#text + this.#decoder.decode(bytes, { stream: true });
    // A carriage return at the end may be the first half of a line's end.
    const end = text.endsWith('\r') ? text.length - 1 : text.length;
    let from = 0;
    for (const { index, 0: lineEnd } of text.slice(0, end).matchAll(/\r\n|\r|\n/g)) {
      const frame = this.#line(text.slice(from, index));
      from = index + lineEnd.length;
      if (frame !== undefined) yield frame;
    }
    this.#text = text.slice(from);
    if (this.#length + this.#text.length > LONGEST)
      throw new RangeError(`an event of more than ${LONGEST} characters`);
  }

  /** The event that an empty line ends. */
  #line(line: string): ServerSentEvent | undefined {
    if (line !== '') {
      this.#length += line.length;
      this.#lines.push(line);
      return undefined;
    }
    const frame = frameOf(this.#lines);
    this.#lines = [];
    this.#length = 0;
    return frame;
  }
}

function frameOf(lines: readonly string[]): ServerSentEvent | undefined {
  let id: string | undefined;
  let event = '';
  let data: string | undefined;
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (name === 'event') event = value;
    else if (name === 'id' && !value.includes('\0')) id = value;
  }
  if (id === undefined && data === undefined) return undefined;
  return {
    event: event === '' ? 'message' : event,
    ...(id !== undefined && { id }),
    ...(data !== undefined && { data }),
  };
}
