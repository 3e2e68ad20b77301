/**
 * How many different values a field has: exactly while they are few, beyond that by HyperLogLog (Flajolet et al., 2007)
 * with the estimator of Ertl (New cardinality estimation algorithms for HyperLogLog sketches, 2017), which needs no
 * corrections from tables.
 */
import type { Event } from '../../event/event.ts';
import type { Accumulator, Aggregation } from '../aggregation.ts';
import { byAccumulator } from './accumulators.ts';
import { fieldReader, invalidOption, type Field, type FieldReader } from './field.ts';
import { hash53 } from './hash.ts';
import { estimate, HASH_BITS } from './hyperloglog.ts';
import { valueText } from './value-text.ts';

export interface DistinctOptions {
  /**
   * The base-2 logarithm of how many registers there are, from 4 to 16: a state has so many bytes, and the standard error
   * is 1.04 / √registers. Default: 12, which is 4 KiB and 1.6 %.
   */
  readonly precision?: number | undefined;
}

/** While they are few, the values' hashes in order; then a letter a register. */
export type DistinctState = readonly number[] | string;

/**
 * The number of different values of the field. Up to registers / 16 (256 by default) it is exact; beyond, its standard error
 * is as `precision` has it. Two values are one if their JSON is, but for the order of keys.
 *
 * @throws MillraceError `query.invalid` for what is no field or no precision.
 */
export function distinct(
  field: Field,
  { precision = 12 }: DistinctOptions = {},
): Aggregation<DistinctState, number> {
  if (!Number.isInteger(precision) || precision < 4 || precision > 16)
    throw invalidOption('/precision', precision, 'must be a whole number from 4 to 16');
  const reader = fieldReader(field);
  return byAccumulator<DistinctState, number>(
    () => [],
    () => new DistinctAccumulator(reader, precision),
  );
}

/** Texts are hashed as they are, and so differently from what else has that JSON. */
const TEXT_SEED = 0x6d69_6c6c;
const SEED = 0x7261_6365;
/** No hash: the event has no value. */
const NONE = -1;
const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_';
const codeOf = new Map([...LETTERS].map((letter, i) => [letter, i]));

class DistinctAccumulator implements Accumulator<DistinctState, number> {
  readonly #reader: FieldReader;
  readonly #precision: number;
  readonly #maxHashes: number;
  #hashes = new Set<number>();
  #registers: Uint8Array | undefined;

  constructor(reader: FieldReader, precision: number) {
    this.#reader = reader;
    this.#precision = precision;
    this.#maxHashes = 2 ** precision / 16;
  }

  read(event: Event): number {
    const value = this.#reader(event);
    if (typeof value === 'string') return hash53(value, TEXT_SEED);
    return value === undefined ? NONE : hash53(valueText(value), SEED);
  }

  fold(hash: number): void {
    if (hash === NONE) return;
    if (this.#registers !== undefined) return this.#register(this.#registers, hash);
    this.#hashes.add(hash);
    if (this.#hashes.size > this.#maxHashes) this.#spread();
  }

  merge(from: DistinctAccumulator): void {
    const theirs = from.#registers;
    if (theirs === undefined) {
      for (const hash of from.#hashes) this.fold(hash);
      return;
    }
    const ours = this.#registers ?? this.#spread();
    for (let i = 0; i < ours.length; i++) if (theirs[i]! > ours[i]!) ours[i] = theirs[i]!;
  }

  state(): DistinctState {
    if (this.#registers === undefined) return [...this.#hashes].toSorted((a, b) => a - b);
    let text = '';
    for (const register of this.#registers) text += LETTERS[register]!;
    return text;
  }

  load(state: DistinctState): void {
    const dense = typeof state === 'string';
    this.#hashes = new Set(dense ? [] : state);
    this.#registers = dense ? Uint8Array.from(state, (letter) => codeOf.get(letter)!) : undefined;
  }

  result(): number {
    return this.#registers === undefined ? this.#hashes.size : Math.round(estimate(this.#registers));
  }

  /** From hashes to registers. What the registers are depends on the set of the hashes alone. */
  #spread(): Uint8Array {
    const registers = new Uint8Array(2 ** this.#precision);
    for (const hash of this.#hashes) this.#register(registers, hash);
    this.#hashes = new Set();
    this.#registers = registers;
    return registers;
  }

  /** The first bits choose the register; it keeps the most zeros, plus one, that the rest of a hash has begun with. */
  #register(registers: Uint8Array, hash: number): void {
    const rest = 2 ** (HASH_BITS - this.#precision);
    const index = Math.floor(hash / rest);
    const left = hash - index * rest;
    const bits = left < 2 ** 32 ? 32 - Math.clz32(left) : 64 - Math.clz32(left / 2 ** 32);
    const rank = HASH_BITS - this.#precision - bits + 1;
    if (rank > registers[index]!) registers[index] = rank;
  }
}
