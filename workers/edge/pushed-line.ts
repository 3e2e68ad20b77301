/**
 * A line of a push, as it is stored and given to everybody else: to the byte as it came, where it can be read in one
 * way only. JSON with a repeated key is read as the first by some and as the last by others (RFC 8259, section 4), and
 * unknown keys were checked by nobody: such a line is written anew from the event.
 */
import { isWireError } from '../../src/errors.ts';
import { makeEvent } from '../../src/event/event.ts';
import { decodeLine, encodeLine, type WireEvent } from '../../src/event/wire.ts';
import { objectionTo } from './acceptance.ts';

export type PushedLine = { readonly line: string } | { readonly reason: string };

export function checkLine(line: string): PushedLine {
  try {
    const event = decodeLine(line);
    const objection = objectionTo(event);
    if (objection !== undefined) return { reason: `${objection.path.join('/')} ${objection.reason}` };
    // A copy carries no line yet, and gets one of the event's fields alone.
    return { line: hasPlainKeys(line) ? line : encodeLine(makeEvent({ ...event })) };
  } catch (error) {
    if (isWireError(error)) return { reason: error.message };
    throw error;
  }
}

const wireKeys: Readonly<Record<keyof WireEvent, true>> = {
  id: true,
  type: true,
  data: true,
  timestamp: true,
  source: true,
  priority: true,
  correlation_id: true,
  causation_id: true,
  subject: true,
};

const QUOTE = 0x22;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;

/**
 * Whether the outermost object of valid JSON has keys of the wire form alone, and no object in it has a key twice.
 * One pass over the text, about as long as parsing it.
 */
export function hasPlainKeys(json: string): boolean {
  const open: (Set<string> | undefined)[] = []; // of each object that is open, its keys; of an array, none
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === BRACE) open.push(new Set());
    else if (code === BRACKET) open.push(undefined);
    else if (code === BRACE_END || code === BRACKET_END) open.pop();
    if (code !== QUOTE) continue;
    const end = endOfString(json, i);
    const keys = open.at(-1);
    if (keys !== undefined && isKey(json, end)) {
      const key = unquoted(json.slice(i, end));
      if (keys.has(key) || (open.length === 1 && !Object.hasOwn(wireKeys, key))) return false;
      keys.add(key);
    }
    i = end - 1;
  }
  return true;
}

function unquoted(text: string): string {
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1);
}

/** Behind the closing quote of the string that starts at `start`: the first that no odd number of backslashes precedes. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); ; end = json.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (json[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end + 1;
  }
}

/** Of strings in an object, the keys are followed by a colon. */
function isKey(json: string, end: number): boolean {
  let next = end;
  while (json[next] === ' ' || json[next] === '\t' || json[next] === '\r' || json[next] === '\n') next++;
  return json[next] === ':';
}
