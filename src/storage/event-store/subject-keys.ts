/**
 * One key a subject, kept as a value of a log: of the events' own, or of another, so that a copy of the one does not
 * hold the other. A key that was forgotten never comes back: the next one of that subject has another generation.
 */
import { hasCode, MillraceError } from '../../errors.ts';
import type { Ports } from '../../ports.ts';
import type { Commit, Storage } from '../storage.ts';
import { fromBase64, toBase64 } from './base64.ts';

export interface SubjectKey {
  /** Counts a subject's keys and their forgettings, so that no two keys of a subject share one. */
  readonly generation: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The longest subject that can have a key, in UTF-16 code units. */
const MAX_SUBJECT = 240;

interface KeptKey {
  readonly generation: number;
  readonly key: string;
}

export class SubjectKeys {
  readonly #storage: Storage;
  readonly #ports: Pick<Ports, 'fillRandom'>;

  constructor(storage: Storage, ports: Pick<Ports, 'fillRandom'>) {
    this.#storage = storage;
    this.#ports = ports;
  }

  /** The subject's key now; none where it never had one, or it was forgotten. */
  async current(subject: string): Promise<SubjectKey | undefined> {
    const kept = (await this.#storage.get(keyOf(subject))) as KeptKey | undefined;
    return kept && { generation: kept.generation, bytes: fromBase64(kept.key) };
  }

  /** The subject's key, made where it has none. Of several who make one at a time, all get the same. */
  async ensure(subject: string, length: number): Promise<SubjectKey> {
    for (;;) {
      const generation = (await this.#generation(subject)) + 1;
      const current = await this.current(subject);
      if (current !== undefined) return current;
      const bytes = new Uint8Array(length);
      this.#ports.fillRandom(bytes);
      const kept: KeptKey = { generation, key: toBase64(bytes) };
      if (await this.#turn(subject, generation, { ...kept })) return { generation, bytes };
    }
  }

  /** Forgets the key for good. Whether there was one. */
  async forget(subject: string): Promise<boolean> {
    for (;;) {
      const generation = (await this.#generation(subject)) + 1;
      if ((await this.current(subject)) === undefined) return false;
      if (await this.#turn(subject, generation, undefined)) return true;
    }
  }

  /** Whether the subject has a key, or ever had one. */
  async known(subject: string): Promise<boolean> {
    return (await this.#generation(subject)) > 0;
  }

  async #generation(subject: string): Promise<number> {
    return (await this.#storage.producer(keyOf(subject)))?.seq ?? 0;
  }

  /** Whether the value is in; not, where somebody else came first. */
  async #turn(
    subject: string,
    seq: number,
    kept: { readonly [name: string]: string | number } | undefined,
  ): Promise<boolean> {
    const commit: Commit = {
      events: [],
      advance: [{ id: keyOf(subject), epoch: 1, seq }],
      put: [[keyOf(subject), kept]],
    };
    const [result] = await this.#storage.commit([commit]);
    if (result!.ok) return true;
    if (hasCode(result!.error, 'producer.gap')) return false;
    throw result!.error;
  }
}

function keyOf(subject: string): string {
  if (subject.length <= MAX_SUBJECT) return `subject-key/${subject}`;
  throw new MillraceError(
    'limit.exceeded',
    `a subject with personal data is at most ${MAX_SUBJECT} characters long: got ${subject.length}`,
    { limit: 'personal.subject', maximum: MAX_SUBJECT, actual: subject.length },
  );
}
