/**
 * Data about a person, sealed under a key of its subject (crypto-shredding). Forgetting the key erases all of it, in this
 * log and in every copy of it, and moves no position: each event stays where it is, with its type, time and id.
 *
 * What was written while its key was being forgotten is erased with the rest.
 */
import { MillraceError } from '../../errors.ts';
import { invalidEvent, makeEvent, type Event } from '../../event/event.ts';
import { createIds, type IdSource } from '../../event/ids.ts';
import type { Ports } from '../../ports.ts';
import { ERASED } from '../erased.ts';
import type { Position } from '../position.ts';
import type { JsonValue, Storage } from '../storage.ts';
import { fromBase64, toBase64 } from './base64.ts';
import type { Cipher } from './cipher.ts';
import { makeErasure } from './erasure.ts';
import { SubjectKeys, type SubjectKey } from './subject-keys.ts';

export interface PersonalDataOptions {
  readonly cipher: Cipher;
  /** The log whose values hold the keys: the events' own, or one apart. */
  readonly keys: Storage;
  readonly ports: Pick<Ports, 'now' | 'fillRandom'>;
}

/** Data as it is at rest: the key's generation, and the sealed bytes as base 64. */
interface Sealed {
  readonly $sealed: { readonly key: number; readonly text: string };
}

/** Whether the event's data was erased: who folds events passes over it. */
export function isErased(event: Event): boolean {
  const { data } = event;
  return typeof data === 'object' && data !== null && '$erased' in data && data.$erased === true;
}

export class PersonalData {
  readonly #cipher: Cipher;
  readonly #keys: SubjectKeys;
  readonly #ports: PersonalDataOptions['ports'];
  readonly #nextId: IdSource;

  constructor(options: PersonalDataOptions) {
    this.#cipher = options.cipher;
    this.#keys = new SubjectKeys(options.keys, options.ports);
    this.#ports = options.ports;
    this.#nextId = createIds(options.ports);
  }

  /** The event with its data sealed. The same event again is sealed to the same text. */
  async seal(event: Event): Promise<Event> {
    if (event.subject === undefined) {
      throw invalidEvent('/subject', undefined, `must be given, for ${event.type} is personal`);
    }
    const key = await this.#keys.ensure(event.subject, this.#cipher.keyBytes);
    const data = await this.#seal(key, contextOf(event), event.data);
    return makeEvent({ ...event, data });
  }

  /** The event as it was before it was sealed, or with its data erased. @throws MillraceError `seal.broken` */
  async open(event: Event, position: Position): Promise<Event> {
    const { data, subject = '' } = event;
    if (!isSealed(data)) return event;
    const key = await this.#keys.current(subject);
    const opened = await this.#open(key, contextOf(event), data, () => {
      const details = { subject, id: event.id, position };
      return new MillraceError(
        'seal.broken',
        `the data of event ${event.id} does not open with the key of ${subject}: it was damaged, or sealed elsewhere`,
        details,
      );
    });
    return makeEvent({ ...event, data: opened ?? ERASED });
  }

  /** Which key the subject has: a state that was folded under another may say what was erased since. */
  async generation(subject: string): Promise<number> {
    return (await this.#keys.current(subject))?.generation ?? 0;
  }

  /** The same, with a key made where there is none. */
  async ensureKey(subject: string): Promise<number> {
    return (await this.#keys.ensure(subject, this.#cipher.keyBytes)).generation;
  }

  /**
   * A value that was made of a subject's data as of a generation of its key, to be erased with it: as it is where there
   * was no key, nothing where that key has been forgotten since.
   */
  async sealValue(
    subject: string,
    generation: number,
    context: string,
    value: JsonValue,
  ): Promise<JsonValue | undefined> {
    if (generation === 0) return value;
    const key = await this.#keys.current(subject);
    if (key?.generation !== generation) return undefined;
    return { ...(await this.#seal(key, context, value)) } as JsonValue;
  }

  /** The value again; `undefined` where it was erased, or does not open. */
  async openValue(subject: string, context: string, value: JsonValue): Promise<JsonValue | undefined> {
    if (!isSealed(value)) return (await this.generation(subject)) === 0 ? value : undefined;
    const broken = (): Error => new Error('the value does not open');
    try {
      return await this.#open(await this.#keys.current(subject), context, value, broken);
    } catch {
      // What can be folded anew is not worth an error.
      return undefined;
    }
  }

  /** Whether the subject had a key. */
  forget(subject: string): Promise<boolean> {
    return this.#keys.forget(subject);
  }

  /** What tells of it that the subject's data was erased; nothing where there never was any. */
  async erasure(subject: string): Promise<Event | undefined> {
    if (!(await this.#keys.known(subject))) return undefined;
    return makeErasure(subject, this.#nextId, this.#ports.now());
  }

  async #seal(key: SubjectKey, context: string, value: unknown): Promise<Sealed> {
    const text = await this.#cipher.seal(key.bytes, context, canonical(value));
    return { $sealed: { key: key.generation, text: toBase64(text) } };
  }

  async #open(
    key: SubjectKey | undefined,
    context: string,
    { $sealed }: Sealed,
    broken: () => Error,
  ): Promise<JsonValue | undefined> {
    if (key?.generation !== $sealed.key) return undefined;
    try {
      const text = await this.#cipher.open(key.bytes, context, fromBase64($sealed.text));
      return JSON.parse(text) as JsonValue;
    } catch {
      throw broken();
    }
  }
}

/** Binds the data to its event, so that it cannot be moved to another one. */
function contextOf(event: Event): string {
  return JSON.stringify([event.id, event.type, event.subject]);
}

function isSealed(data: unknown): data is Sealed {
  if (typeof data !== 'object' || data === null || !('$sealed' in data)) return false;
  const sealed = data.$sealed as Partial<Sealed['$sealed']> | null;
  return typeof sealed?.key === 'number' && typeof sealed.text === 'string';
}

/** JSON with sorted keys: the same data in another order is the same text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
