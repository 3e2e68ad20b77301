/** Times things beside each other: rounds that alternate, so that what the machine does meanwhile falls on all alike. */

export type Timed = () => unknown;

/**
 * The median of each thing's times, in ms, over rounds in which each runs once; a first round warms up. `rest`, before each,
 * is not timed: where a thing leaves work behind, it is for that to be done.
 */
export async function alternate<Name extends string>(
  things: Readonly<Record<Name, Timed>>,
  rounds: number,
  rest: Timed = () => undefined,
): Promise<Record<Name, number>> {
  const times = await timesOf(things, rounds, rest);
  const medians = Object.entries<readonly number[]>(times).map(([name, all]) => [name, median(all)]);
  return Object.fromEntries(medians) as Record<Name, number>;
}

/** Each thing's times, round by round, as `alternate` takes them. */
export async function timesOf<Name extends string>(
  things: Readonly<Record<Name, Timed>>,
  rounds: number,
  rest: Timed = () => undefined,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(things) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<
    Name,
    number[]
  >;
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      await rest();
      const start = performance.now();
      await things[name]();
      if (round > 0) times[name].push(performance.now() - start);
    }
  }
  return times;
}

/** The median of the rounds' own ratios: what slows the machine for some rounds is in both times of each. */
export function medianRatio(over: readonly number[], under: readonly number[]): number {
  return median(over.map((ms, round) => ms / under[round]!));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Throws where a case did not do what it was timed for. */
export function mustEqual(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, expected ${String(expected)}`);
}
