/**
 * Upcasters read old events as today's. An event's version stands in its type, as CloudEvents advises: `order.placed` is
 * version 1, `order.placed.v2` version 2. What is stored never changes; a read gives the newest form.
 *
 * @example
 * new Upcasters([{ type: 'order.placed', version: 1, upcast: (data) => ({ ...data, currency: 'EUR' }) }]);
 */
import { MillraceError } from '../../errors.ts';
import { makeEvent, type Event } from '../../event/event.ts';
import type { Position } from '../position.ts';

/** One step of a type, from `version` to the next. */
export interface Upcaster {
  /** The type without its version. */
  readonly type: string;
  /** The version that it reads, from 1. */
  readonly version: number;
  /** The data of the next version. Pure: it runs at every read. */
  readonly upcast: (data: never, event: Event) => unknown;
}

/** The name of a type's version: `order.placed`, `order.placed.v2`, … */
export function typeOfVersion(type: string, version: number): string {
  return version === 1 ? type : `${type}.v${version}`;
}

export class Upcasters {
  /** By the versioned type that it reads. */
  readonly #steps = new Map<string, Upcaster>();
  /** All versions of a type, by each of them. */
  readonly #families = new Map<string, readonly string[]>();

  /** @throws MillraceError `catalogue.invalid` for a step that is there twice, or a chain with a hole. */
  constructor(upcasters: readonly Upcaster[]) {
    for (const upcaster of upcasters) {
      const name = typeOfVersion(upcaster.type, upcaster.version);
      if (this.#steps.has(name)) throw invalid(name, 'it has two upcasters');
      this.#steps.set(name, upcaster);
    }
    for (const type of new Set(upcasters.map((each) => each.type))) this.#addFamily(type, upcasters);
  }

  /** The event in its newest form: itself, where it has it. @throws MillraceError `upcast.failed` */
  current(event: Event, position: Position): Event {
    let step = this.#steps.get(event.type);
    if (step === undefined) return event;
    let { type, data } = event;
    for (; step !== undefined; step = this.#steps.get(type)) {
      data = apply(step, data, event, position);
      type = typeOfVersion(step.type, step.version + 1);
    }
    return makeEvent({ ...event, type, data });
  }

  /** The newest version of a type. */
  currentType(type: string): string {
    return this.#families.get(type)?.at(-1) ?? type;
  }

  /** The types to look for, so that all that reads as one of these is found. */
  stored(types: readonly string[]): readonly string[] {
    return [...new Set(types.flatMap((type) => this.#families.get(type) ?? [type]))];
  }

  #addFamily(type: string, upcasters: readonly Upcaster[]): void {
    const versions = upcasters.filter((each) => each.type === type).map(({ version }) => version);
    const newest = Math.max(...versions) + 1;
    for (let version = 1; version < newest; version++) {
      if (!versions.includes(version)) throw invalid(type, `version ${version} has no upcaster`);
    }
    const family = Array.from({ length: newest }, (_, i) => typeOfVersion(type, i + 1));
    for (const name of family) this.#families.set(name, family);
  }
}

function apply(step: Upcaster, data: unknown, event: Event, position: Position): unknown {
  const { type, version } = step;
  try {
    const upcast = step.upcast(data as never, event);
    if (upcast === undefined) throw new Error('it returned nothing');
    return upcast;
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new MillraceError(
      'upcast.failed',
      `version ${version} of ${type} (event ${event.id}) could not be read as ${version + 1}: ${reason}; mend the upcaster`,
      { type, version, id: event.id, position, reason },
      { cause },
    );
  }
}

function invalid(type: string, reason: string): MillraceError<'catalogue.invalid'> {
  return new MillraceError('catalogue.invalid', `${type}: ${reason}`, { type, reason });
}
