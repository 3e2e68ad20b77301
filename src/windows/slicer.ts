/**
 * Cuts event time into slices, so that every window of a stream is a run of whole slices, and windows that overlap share
 * what they have in common. (Li et al., No pane, no gain, SIGMOD Record 2005; where size and slide have no divisor worth
 * the name: Krishnamurthy et al., On-the-fly sharing for streamed aggregation, SIGMOD 2006, paired windows.)
 */
import { ZonedDays } from './time-zone.ts';
import type { DayWindowKind, HoppingWindowKind, TumblingWindowKind } from './windows.ts';

export type SlicedWindowKind = TumblingWindowKind | HoppingWindowKind | DayWindowKind;

export interface Slicer {
  /** Tells its slices from those of others. */
  readonly name: string;
  /** Where all slices are of one size: that, and where one of them begins. */
  readonly uniform?: { readonly unit: number; readonly origin: number };
  /** The number of the slice that the time belongs to. */
  indexOf(timestamp: number): number;
  /** Where that slice begins, and the one before it ends. */
  startOf(index: number): number;
}

/** A window as a run of slices: those that begin at a multiple of `step` from `phase` on. */
export interface SliceRun {
  readonly length: number;
  readonly step: number;
  readonly phase: number;
}

export interface SlicedGroup {
  readonly slicer: Slicer;
  /** By their place in what was asked for. */
  readonly runs: ReadonlyMap<number, SliceRun>;
}

/** How much finer than a window's own the slices may be that it shares with others. */
const MAX_FINER = 64;

/** Puts windows that can share slices together. */
export function groupBySlices(kinds: ReadonlyMap<number, SlicedWindowKind>): SlicedGroup[] {
  const groups: { unit: number; finest: number; origin: number; members: Map<number, Fixed> }[] = [];
  const others: SlicedGroup[] = [];
  for (const [place, kind] of kinds) {
    if (kind.kind === 'days') {
      others.push(dayGroup(place, kind));
      continue;
    }
    const fixed = fixedOf(kind);
    const own = gcd(fixed.sizeMs, fixed.slideMs);
    if (own * MAX_FINER < fixed.slideMs) {
      others.push(pairedGroup(place, fixed));
      continue;
    }
    const shared = groups.find(({ unit, finest, origin }) => {
      const joint = gcd(gcd(unit, own), Math.abs(fixed.offsetMs - origin));
      return joint * MAX_FINER >= Math.min(finest, own);
    });
    const group = shared ?? { unit: own, finest: own, origin: fixed.offsetMs, members: new Map() };
    if (shared === undefined) groups.push(group);
    group.unit = gcd(gcd(group.unit, own), Math.abs(fixed.offsetMs - group.origin));
    group.finest = Math.min(group.finest, own);
    group.members.set(place, fixed);
  }
  const uniform = groups.map(({ unit, origin, members }) => {
    const first = modulo(origin, unit);
    const run = ({ sizeMs, slideMs, offsetMs }: Fixed): SliceRun => {
      const step = slideMs / unit;
      return { length: sizeMs / unit, step, phase: modulo((offsetMs - first) / unit, step) };
    };
    const runs = new Map([...members].map(([place, fixed]) => [place, run(fixed)]));
    return { slicer: new UniformSlicer(unit, first), runs };
  });
  return [...uniform, ...others];
}

interface Fixed {
  readonly sizeMs: number;
  readonly slideMs: number;
  readonly offsetMs: number;
}

function fixedOf(kind: TumblingWindowKind | HoppingWindowKind): Fixed {
  const { sizeMs, offsetMs = 0 } = kind;
  return { sizeMs, slideMs: kind.kind === 'tumbling' ? sizeMs : kind.slideMs, offsetMs };
}

function dayGroup(place: number, { timeZone, offsetMs = 0 }: DayWindowKind): SlicedGroup {
  const runs = new Map([[place, { length: 1, step: 1, phase: 0 }]]);
  return { slicer: new DaySlicer(timeZone, offsetMs), runs };
}

function pairedGroup(place: number, fixed: Fixed): SlicedGroup {
  const { sizeMs, slideMs } = fixed;
  const length = 2 * Math.floor(sizeMs / slideMs) + 1;
  return { slicer: new PairedSlicer(fixed), runs: new Map([[place, { length, step: 2, phase: 0 }]]) };
}

/** Slices of one size. */
class UniformSlicer implements Slicer {
  readonly name: string;
  readonly uniform: { readonly unit: number; readonly origin: number };
  readonly #unit: number;
  readonly #origin: number;

  constructor(unit: number, origin: number) {
    this.name = `slices-${unit}-${origin}`;
    this.uniform = { unit, origin };
    this.#unit = unit;
    this.#origin = origin;
  }

  indexOf(timestamp: number): number {
    return Math.floor((timestamp - this.#origin) / this.#unit);
  }

  startOf(index: number): number {
    return index * this.#unit + this.#origin;
  }
}

/** Two slices a slide: cut where a window begins and where one ends. The slide must not divide the size. */
class PairedSlicer implements Slicer {
  readonly name: string;
  readonly #slide: number;
  readonly #rest: number;
  readonly #origin: number;

  constructor({ sizeMs, slideMs, offsetMs }: Fixed) {
    this.name = `paired-${slideMs}-${sizeMs % slideMs}-${offsetMs}`;
    this.#slide = slideMs;
    this.#rest = sizeMs % slideMs;
    this.#origin = offsetMs;
  }

  indexOf(timestamp: number): number {
    const slide = Math.floor((timestamp - this.#origin) / this.#slide);
    const within = timestamp - this.#origin - slide * this.#slide;
    return within < this.#rest ? 2 * slide : 2 * slide + 1;
  }

  startOf(index: number): number {
    const slide = Math.floor(index / 2);
    return slide * this.#slide + this.#origin + (index - 2 * slide) * this.#rest;
  }
}

/** The days of a time zone. */
class DaySlicer implements Slicer {
  readonly name: string;
  readonly #days: ZonedDays;
  readonly #offset: number;

  constructor(timeZone: string, offsetMs: number) {
    this.name = `days-${timeZone}-${offsetMs}`;
    this.#days = new ZonedDays(timeZone);
    this.#offset = offsetMs;
  }

  indexOf(timestamp: number): number {
    return this.#days.dayOf(timestamp - this.#offset);
  }

  startOf(index: number): number {
    return this.#days.startOf(index) + this.#offset;
  }
}

/** The remainder that has the divisor's sign. */
export function modulo(value: number, divisor: number): number {
  return value - Math.floor(value / divisor) * divisor;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
