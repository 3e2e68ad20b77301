/**
 * The kinds of windows over a stream, as plain data. A window groups the events of one key: by event time (tumbling,
 * hopping, days, session), by how many have come (count), or all of them (global).
 * (Akidau et al., The Dataflow Model, 2015, section 2.1.)
 *
 * @example
 * hopping(5 * 60_000, 60_000); // five minutes, a new one every minute
 * days('Europe/Berlin'); // from midnight to midnight: 23, 24 or 25 hours
 */
import { MillraceError } from '../errors.ts';
import { checkTimeZone } from './time-zone.ts';
import { MAX_SIZE_MS } from './tumbling.ts';

export interface WindowOffset {
  /** Where windows begin, from the Unix epoch (for days, from midnight) on. Less than the size, or the slide. Default: 0. */
  readonly offsetMs?: number | undefined;
}

/** Side by side: every event belongs to exactly one. */
export interface TumblingWindowKind extends WindowOffset {
  readonly kind: 'tumbling';
  readonly sizeMs: number;
}

/** One begins every `slideMs` and lasts `sizeMs`: they overlap. The slide need not divide the size. */
export interface HoppingWindowKind extends WindowOffset {
  readonly kind: 'hopping';
  readonly sizeMs: number;
  readonly slideMs: number;
}

/** The calendar's days of a time zone, so that a day with a change of the clocks has 23 or 25 hours. */
export interface DayWindowKind extends WindowOffset {
  readonly kind: 'days';
  /** IANA's name, such as `Europe/Berlin`. */
  readonly timeZone: string;
}

/** Events of a key that follow on one another within less than the gap. It ends a gap after its last event. */
export interface SessionWindowKind {
  readonly kind: 'session';
  readonly gapMs: number;
}

/**
 * So many events of a key, in the order in which they came: in a log, that is the order of positions. Alone among the
 * windows it depends on that order, by its nature. It knows no time and no lateness.
 */
export interface CountWindowKind {
  readonly kind: 'count';
  readonly size: number;
  /** How many events later the next begins, at most the size. Default: the size. */
  readonly slide?: number | undefined;
}

/** All events of a key. It ends with the stream, if ever: give it a trigger to hear of it before. */
export interface GlobalWindowKind {
  readonly kind: 'global';
}

export type WindowKind =
  | TumblingWindowKind
  | HoppingWindowKind
  | DayWindowKind
  | SessionWindowKind
  | CountWindowKind
  | GlobalWindowKind;

/** @throws MillraceError `query.invalid` for a size or an offset that gives no windows. So do the others. */
export function tumbling(sizeMs: number, { offsetMs }: WindowOffset = {}): TumblingWindowKind {
  return checked({ kind: 'tumbling', sizeMs, offsetMs });
}

/** A slide greater than the size is refused: the events in between would be lost. */
export function hopping(
  sizeMs: number,
  slideMs: number,
  { offsetMs }: WindowOffset = {},
): HoppingWindowKind {
  return checked({ kind: 'hopping', sizeMs, slideMs, offsetMs });
}

export function days(timeZone: string, { offsetMs }: WindowOffset = {}): DayWindowKind {
  return checked({ kind: 'days', timeZone, offsetMs });
}

export function session(gapMs: number): SessionWindowKind {
  return checked({ kind: 'session', gapMs });
}

export function countWindow(size: number, slide: number = size): CountWindowKind {
  return checked({ kind: 'count', size, slide });
}

export function globalWindow(): GlobalWindowKind {
  return { kind: 'global' };
}

const MAX_COUNT = 1_000_000;

/** @throws MillraceError `query.invalid` */
export function checkWindowKind(kind: WindowKind): void {
  switch (kind.kind) {
    case 'tumbling':
      checkWhole('sizeMs', kind.sizeMs, MAX_SIZE_MS);
      return checkOffset(kind.offsetMs, kind.sizeMs);
    case 'hopping':
      checkWhole('sizeMs', kind.sizeMs, MAX_SIZE_MS);
      checkWhole('slideMs', kind.slideMs, MAX_SIZE_MS);
      checkSlide('slideMs', kind.slideMs, kind.sizeMs);
      return checkOffset(kind.offsetMs, kind.slideMs);
    case 'days':
      checkTimeZone(kind.timeZone);
      return checkOffset(kind.offsetMs, 12 * 3_600_000);
    case 'session':
      return checkWhole('gapMs', kind.gapMs, MAX_SIZE_MS);
    case 'count':
      checkWhole('size', kind.size, MAX_COUNT);
      checkWhole('slide', kind.slide ?? kind.size, MAX_COUNT);
      return checkSlide('slide', kind.slide ?? kind.size, kind.size);
    case 'global':
      return undefined;
    default:
      throw invalidWindow('kind', (kind as { readonly kind: unknown }).kind, 'is none that is known');
  }
}

function checked<Kind extends WindowKind>(kind: Kind): Kind {
  checkWindowKind(kind);
  return kind;
}

function checkWhole(name: string, value: number, maximum: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= maximum) return;
  throw invalidWindow(name, value, `must be a whole number from 1 to ${maximum}`);
}

function checkSlide(name: string, slide: number, size: number): void {
  if (slide <= size) return;
  throw invalidWindow(name, slide, `must be at most the size, ${size}: events between would be lost`);
}

function checkOffset(offsetMs: number | undefined, below: number): void {
  if (offsetMs === undefined || (Number.isInteger(offsetMs) && Math.abs(offsetMs) < below)) return;
  throw invalidWindow('offsetMs', offsetMs, `must be a whole number of ms, less than ${below}`);
}

export function invalidWindow(
  name: string,
  value: unknown,
  reason: string,
): MillraceError<'query.invalid'> {
  return new MillraceError('query.invalid', `windows: ${name} ${reason}: got ${String(value)}`, {
    path: `/${name}`,
    value,
    reason,
  });
}
