/**
 * A line of a push, as it is stored and given to everybody else: to the byte as it came, where it can be read in one
 * way only. JSON with a repeated key is read as the first by some and as the last by others (RFC 8259, section 4), and
 * unknown keys were checked by nobody: such a line is written anew from the event.
 */
import { isWireError } from '../../src/errors.ts';
import { eventLimits, makeEvent } from '../../src/event/event.ts';
import { decodeLine, encodeLine, type WireEvent } from '../../src/event/wire.ts';
import { objectionTo } from './acceptance.ts';
import { isSoundEvent } from './sound-event.ts';

export type PushedLine = { readonly line: string } | { readonly reason: string };

export function checkLine(line: string): PushedLine {
  return isPlainlySound(line) ? { line } : explainLine(line);
}

/** Whether it is stored as it came. What is wrong with a line, or is to be written anew, is found out by `explainLine`. */
function isPlainlySound(line: string): boolean {
  if (line.length > eventLimits.line) return false;
  let wire: unknown;
  try {
    wire = JSON.parse(line);
  } catch {
    return false;
  }
  return isSoundEvent(wire) && wire.id != null && wire.timestamp != null && hasPlainKeys(line, wire);
}

/** The same by the model's own checks, which say what is wrong. */
export function explainLine(line: string): PushedLine {
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
  traceparent: true,
};

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/**
 * Whether the outermost object of valid JSON has keys of the wire form alone, and no object in it has a key twice: `value`
 * is what was read of it, and has fewer keys than the text then.
 */
export function hasPlainKeys(json: string, value: unknown = JSON.parse(json)): boolean {
  for (const key in value as object) if (!Object.hasOwn(wireKeys, key)) return false;
  return keysIn(value) === colonsIn(json);
}

function keysIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, one) => sum + keysIn(one), 0);
  let keys = 0;
  for (const key in value) keys += 1 + keysIn((value as Record<string, unknown>)[key]);
  return keys;
}

/** Outside of strings: one behind each key. */
function colonsIn(json: string): number {
  let colons = 0;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === COLON) colons++;
    else if (code === QUOTE) i = endOfString(json, i);
  }
  return colons;
}

/** The closing quote of the string that starts at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json.charCodeAt(at) !== QUOTE)
    at += json.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at;
}
