/**
 * Dead letters in a storage, kept until they are driven again or dropped: as many as it takes.
 *
 * Who commits something else with a letter puts its `entry` there; `add` is for letters that stand alone, and puts those
 * together that wait while one commit is under way. Two processes may add to one store, and redrive from it: a letter that
 * both take up at the same time is tried by both.
 *
 * @example
 * const bus = new EventBus({ deadLetters: new StoredDeadLetters(storage, 'shop-bus') });
 */
import { MillraceError } from '../../errors.ts';
import type { Undo } from '../../ports.ts';
import { checkList } from '../check-input.ts';
import { listPages } from '../list-pages.ts';
import type { Commit, JsonValue, Storage } from '../storage.ts';
import { failedAgain, keptLetter, letterOf, type DeadLetter } from './dead-letter.ts';
import { LetterListeners, type DeadLetterListOptions, type DeadLetterStore } from './dead-letters.ts';

const DEFAULT_LIMIT = 100;
/** Letters of one commit. */
const BATCH = 500;
/** Letters that wait for their commit: what comes then is shed. */
const MOST_WAITING = 10_000;

export type LetterEntry = NonNullable<Commit['put']>[number];

export class StoredDeadLetters implements DeadLetterStore {
  readonly #storage: Storage;
  readonly #prefix: string;
  readonly #listeners = new LetterListeners();
  #waiting = new Map<string, DeadLetter>();
  /** The commit that is under way, and the next, of what waits. */
  #flushing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #shed = 0;

  /** `name` tells the host's letters from those of others in the storage: 1 to 100 characters. */
  constructor(storage: Storage, name: string) {
    this.#storage = storage;
    this.#prefix = `dead-letters/${name}/`;
  }

  get shed(): number {
    return this.#shed;
  }

  /** @throws MillraceError as `Storage.commit` does; `limit.exceeded` where too many wait: the letter is lost, and counted */
  add(letter: DeadLetter): Promise<void> {
    const { id } = letter;
    if (this.#waiting.size >= MOST_WAITING && !this.#waiting.has(id)) {
      this.#shed++;
      const details = { limit: 'dead-letters', maximum: MOST_WAITING, actual: MOST_WAITING + 1 };
      const message = `${MOST_WAITING} dead letters wait to be stored: this one is lost`;
      return Promise.reject(new MillraceError('limit.exceeded', message, details));
    }
    this.#waiting.set(id, failedAgain(this.#waiting.get(id), letter));
    // What comes while a commit is under way goes into the next.
    return (this.#next ??= this.#flushing.catch(ignore).then(() => this.#flush()));
  }

  /** What is to be put into the commit of what the letter comes of, or, without one, of its end. */
  entry(id: string, letter?: DeadLetter): LetterEntry {
    return [this.#prefix + id, letter && keptLetter(letter)];
  }

  /** Of all whose id is greater. */
  async ids(after: string): Promise<ReadonlySet<string>> {
    const ids = new Set<string>();
    const prefix = this.#prefix;
    for await (const page of listPages(this.#storage, prefix, { after: prefix + after }))
      for (const [key] of page) ids.add(key.slice(prefix.length));
    return ids;
  }

  /** To be called once `entry`s are committed. */
  tell(letters: readonly DeadLetter[]): void {
    for (const letter of letters) this.#listeners.tell(letter);
  }

  async list(options: DeadLetterListOptions = {}): Promise<readonly DeadLetter[]> {
    await this.#added();
    const { after, limit } = checkList({ ...options, limit: options.limit ?? DEFAULT_LIMIT });
    const entries = await this.#storage.list(this.#prefix, { after: this.#prefix + after, limit });
    return entries.map(([, kept]) => letterOf(kept as JsonValue));
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    await this.#added();
    return this.#get(id);
  }

  async #get(id: string): Promise<DeadLetter | undefined> {
    const kept = await this.#storage.get(this.#prefix + id);
    return kept === undefined ? undefined : letterOf(kept as JsonValue);
  }

  async drop(ids?: readonly string[]): Promise<number> {
    await this.#added();
    let dropped = 0;
    for await (const keys of ids === undefined ? this.#keys() : this.#known(ids)) {
      if (keys.length === 0) continue;
      await this.#storage.commit([{ events: [], put: keys.map((key) => [key, undefined]) }]);
      dropped += keys.length;
    }
    return dropped;
  }

  async count(): Promise<number> {
    await this.#added();
    let count = 0;
    for await (const { length } of this.#keys()) count += length;
    return count;
  }

  onAdded(listener: (letter: DeadLetter) => void): Undo {
    return this.#listeners.add(listener);
  }

  /** Once what was added before is stored, or lost. */
  async #added(): Promise<void> {
    await (this.#next ?? this.#flushing).catch(ignore);
  }

  #flush(): Promise<void> {
    this.#next = undefined;
    const letters = this.#waiting;
    this.#waiting = new Map();
    const flushing = this.#store([...letters.values()]);
    this.#flushing = flushing;
    return flushing;
  }

  async #store(letters: readonly DeadLetter[]): Promise<void> {
    for (let from = 0; from < letters.length; from += BATCH) {
      const batch = letters.slice(from, from + BATCH);
      try {
        const kept: DeadLetter[] = [];
        for (const letter of batch) kept.push(failedAgain(await this.#get(letter.id), letter));
        const put = kept.map((letter) => this.entry(letter.id, letter));
        await this.#storage.commit([{ events: [], put }]);
        this.tell(kept);
      } catch (error) {
        this.#shed += letters.length - from;
        throw error;
      }
    }
  }

  async *#keys(): AsyncGenerator<readonly string[]> {
    for await (const page of listPages(this.#storage, this.#prefix)) yield page.map(([key]) => key);
  }

  async *#known(ids: readonly string[]): AsyncGenerator<readonly string[]> {
    const known: string[] = [];
    for (const id of new Set(ids)) {
      const key = this.#prefix + id;
      if ((await this.#storage.get(key)) !== undefined) known.push(key);
    }
    yield known;
  }
}

/** Who added it is told. */
function ignore(): void {}
