/** The bounded queue against an array, over any sequence of steps. */
import { equal } from 'node:assert/strict';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  BoundedQueue,
  type Offer,
  type OverflowPolicy,
  type Taken,
} from '../../src/bus/bounded-queue.ts';

interface Value {
  readonly id: number;
  readonly key: string | undefined;
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      key: fc.constantFrom('a', 'a', 'b', undefined),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('take' as const), key: fc.constant(undefined) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), key: fc.nat() }) },
);

it.each(['wait', 'drop-oldest', 'drop-newest', 'fail'] as const)(
  'with %s gives each value once, each key in its order and one at a time, and keeps its bound',
  async (policy) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 80 }),
        fc.integer({ min: 1, max: 5 }),
        (steps, capacity) => check(policy, capacity, steps),
      ),
      { numRuns: 1_500 },
    );
  },
);

type Step =
  | { kind: 'offer'; key: string | undefined }
  | { kind: 'take'; key: undefined }
  | { kind: 'release'; key: number };

async function check(policy: OverflowPolicy, capacity: number, steps: readonly Step[]): Promise<void> {
  const both = new Both(policy, capacity);
  for (const [id, { kind, key }] of steps.entries()) {
    if (kind === 'offer') both.offer({ id, key });
    else if (kind === 'take') both.take();
    else both.release(key);
    await Promise.resolve();
    both.compare();
  }
  both.queue.clear();
  expect(both.queue.length).toBe(0);
  expect(both.queue.take()).toBeUndefined();
}

/** The queue beside the oracle: a list of what is queued, in its order, and of what is out. */
class Both {
  readonly queue: BoundedQueue<Value>;
  readonly #policy: OverflowPolicy;
  readonly #capacity: number;
  #model: Value[] = [];
  readonly #out: Taken<Value>[] = [];
  readonly #accepted = new Set<number>();
  #shed = 0;

  constructor(policy: OverflowPolicy, capacity: number) {
    this.queue = new BoundedQueue({ capacity, policy });
    this.#policy = policy;
    this.#capacity = capacity;
  }

  offer(value: Value): void {
    const full = this.#model.length >= this.#capacity;
    const offer = this.queue.offer(value, value.key);
    const whenFull = {
      wait: 'a promise',
      'drop-oldest': 'queued',
      'drop-newest': 'dropped',
      fail: 'refused',
    };
    equal(offer instanceof Promise ? 'a promise' : offer, full ? whenFull[this.#policy] : 'queued');
    void Promise.resolve(offer).then(
      (offer: Offer) => offer === 'queued' && this.#accepted.add(value.id),
    );
    if (full && this.#policy !== 'wait') this.#shed++;
    if (full && this.#policy === 'drop-oldest') this.#model.shift();
    if (!full || this.#policy === 'wait' || this.#policy === 'drop-oldest') this.#model.push(value);
  }

  take(): void {
    const taken = this.queue.take();
    const choice = this.#model.filter((value, at) => this.#canBeTaken(value, at));
    equal(taken === undefined ? choice.length === 0 : choice.includes(taken.value), true);
    if (taken === undefined) return;
    this.#model = this.#model.filter((value) => value !== taken.value);
    this.#out.push(taken);
  }

  /** Twice, which must do no more than once. */
  release(at: number): void {
    const [taken] = this.#out.splice(at % Math.max(this.#out.length, 1), 1);
    taken?.release();
    taken?.release();
  }

  compare(): void {
    equal(this.queue.length, this.#model.length);
    equal(this.queue.dropped + this.queue.refused, this.#shed);
    const accepted = this.#model.filter(({ id }) => this.#accepted.has(id));
    equal(accepted.length, Math.min(this.#model.length, this.#capacity));
  }

  #canBeTaken({ key }: Value, at: number): boolean {
    if (key === undefined) return true;
    const first = this.#model.findIndex((other) => other.key === key);
    return first === at && !this.#out.some(({ value }) => value.key === key);
  }
}
