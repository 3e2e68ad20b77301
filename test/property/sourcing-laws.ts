/** The laws of event sourcing, over any driver: no interleaving and no crash loses, doubles, skips or reorders. */
import fc from 'fast-check';
import { EventStore, follow, groupCommits, type Storage } from 'millrace';
import { assertEqual } from '../../src/storage/laws/law.ts';
import { readAll } from '../../src/storage/laws/sample.ts';
import { LawBroken, type StorageHarness } from '../../src/testing.ts';
import { checkShop, Shop } from './sourcing-world.ts';

const CALLS = [
  'commit',
  'read',
  'get',
  'list',
  'producer',
  'version',
  'stats',
] as const satisfies readonly (keyof Storage)[];

type Call = () => unknown;

/** The storage, each of whose calls goes through `around`. */
function through(storage: Storage, around: (call: Call) => unknown): Storage {
  const wrapped = Object.fromEntries(
    CALLS.map((name) => {
      const method = (storage[name] as (...given: unknown[]) => unknown).bind(storage);
      return [name, (...given: unknown[]) => around(() => method(...given))];
    }),
  );
  const rest = {
    trim: storage.trim.bind(storage),
    compact: storage.compact.bind(storage),
    onCommit: storage.onCommit.bind(storage),
    close: storage.close.bind(storage),
  };
  return { ...rest, ...wrapped } as unknown as Storage;
}

async function within(
  create: () => StorageHarness,
  run: (open: () => Promise<Storage>) => Promise<void>,
): Promise<void> {
  const harness = create();
  const opened: Storage[] = [];
  try {
    await run(async () => {
      const storage = await harness.open('shop');
      opened.push(storage);
      return storage;
    });
  } finally {
    for (const storage of opened) await storage.close();
    await harness.cleanup?.();
  }
}

/** Writers and consumers, two of each, at once: every call to the storage waits for its turn, in any order. */
export async function checkInterleavings(create: () => StorageHarness, runs: number): Promise<void> {
  const carts = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(carts, { minLength: 2, maxLength: 3 }),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      (scheduler, writers, pageEvents, grouped) =>
        within(create, async (open) => {
          const storage = await open();
          const shared = grouped ? groupCommits(storage) : storage;
          const slow = through(shared, async (call) => {
            await scheduler.schedule(Promise.resolve());
            return call();
          });
          // The inline projection has begun, so that rebuilding it meets appends that fold it.
          await new Shop(storage, pageEvents).add('a', 0);
          const tried: number[] = [0];
          const write = async (each: readonly string[]): Promise<void> => {
            const shop = new Shop(slow, pageEvents);
            for (const cart of each) {
              const n = tried.length;
              tried.push(n);
              await shop.add(cart, n);
            }
          };
          const consume = async (): Promise<void> => {
            const shop = new Shop(slow, pageEvents);
            await Promise.all([shop.sales.catchUp(), shop.thanks.catchUp(), shop.stock.rebuild()]);
            await Promise.all([shop.sales.rebuild(), shop.thanks.catchUp()]);
          };
          const stop = new AbortController();
          const follower = followInto(slow, pageEvents, stop.signal);
          await scheduler.waitFor(Promise.all([...writers.map(write), consume(), consume()]));
          stop.abort();
          const seen = await scheduler.waitFor(follower);
          const behind = await readAll(storage, { after: seen.at(-1) ?? 0 });
          const all = [...seen, ...behind.map(({ position }) => position)];
          const { head } = await storage.stats();
          assertEqual(
            all,
            Array.from({ length: head }, (_, i) => i + 1),
            'a follower sees all, once, in order',
          );
          await checkShop(storage, tried, tried, pageEvents);
        }),
    ),
    { numRuns: runs },
  );
}

/** The positions that a follower has seen until it is stopped. */
async function followInto(
  storage: Storage,
  limit: number,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const seen: number[] = [];
  // No timer: what a lost hint would hide is to be seen here.
  const options = { limit, signal, ports: { after: () => () => {} } };
  for await (const { position } of follow(new EventStore(storage), options)) seen.push(position);
  return seen;
}

/** What one process does; all of it, where nothing stops it. */
async function visit(storage: Storage, done: number[]): Promise<void> {
  const shop = new Shop(storage, 2);
  const add = async (cart: string, n: number): Promise<void> => {
    await shop.add(cart, n);
    done.push(n);
  };
  await add('a', 1);
  await add('a', 2);
  await shop.sales.catchUp();
  await add('b', 3);
  await shop.thanks.catchUp();
  await shop.stock.rebuild();
  await add('a', 4);
  await shop.sales.rebuild();
}

const TRIED = [1, 2, 3, 4];

/**
 * A process that dies before its n-th call to the storage, for every n; then another goes on. Behind a call is before the
 * next: in between, nothing leaves the process.
 */
export async function checkCrashes(create: () => StorageHarness, atATime = 1): Promise<number> {
  let calls = 0;
  const count = (call: Call): unknown => {
    calls++;
    return call();
  };
  await within(create, async (open) => {
    const done: number[] = [];
    const storage = await open();
    await visit(through(storage, count), done);
    await checkShop(storage, TRIED, done, 2);
  });
  for (let first = 1; first <= calls; first += atATime) {
    const numbers = Array.from({ length: Math.min(atATime, calls - first + 1) }, (_, i) => first + i);
    await Promise.all(numbers.map((n) => crashAt(create, n)));
  }
  return calls;
}

async function crashAt(create: () => StorageHarness, n: number): Promise<void> {
  await within(create, async (open) => {
    const done: number[] = [];
    const storage = await open();
    let calls = 0;
    const dying = through(storage, (call) => {
      if (++calls < n) return call();
      throw new Error(`died before call ${n}`);
    });
    await visit(dying, done).then(
      () => {
        throw new LawBroken('the process was to die', calls, n);
      },
      () => undefined,
    );
    try {
      await checkShop(storage, TRIED, done, 3);
    } catch (cause) {
      throw new Error(`after a death before call ${n}`, { cause });
    }
  });
}
