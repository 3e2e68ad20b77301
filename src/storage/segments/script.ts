/**
 * A transaction script: written once, it runs at once over a database that answers at once (SQLite), and step by step
 * over one that answers by promises (IndexedDB). A script yields each promise that it must wait for.
 */
import type { MaybePromise } from '../storage.ts';

export type Script<T> = Generator<Promise<unknown>, T, unknown>;

/** `const head = yield* wait(tables.head())`: the value, now or when it is there. */
export function* wait<T>(value: MaybePromise<T>): Script<T> {
  return value instanceof Promise ? ((yield value) as T) : value;
}

/** Runs to the end: at once where the script never waits, else by a promise. Throws, or rejects, as the script does. */
export function runScript<T>(script: Script<T>): MaybePromise<T> {
  const step = script.next();
  return step.done ? step.value : resume(script, step.value);
}

async function resume<T>(script: Script<T>, first: Promise<unknown>): Promise<T> {
  let awaited = first;
  for (;;) {
    const step = script.next(await awaited);
    if (step.done) return step.value;
    awaited = step.value;
  }
}

/** `next` of the value: at once where the value is at hand. */
export function whenDone<T, R>(value: MaybePromise<T>, next: (value: T) => R): MaybePromise<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
