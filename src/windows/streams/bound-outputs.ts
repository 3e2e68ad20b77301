/** A plan's outputs under their names, and how results and late events are stored on their way. */
import { decodeLine, encodeLine } from '../../event/wire.ts';
import type { JsonValue } from '../../storage/storage.ts';
import { invalidWindow } from '../windows.ts';
import type { BoundOutput } from './outbox.ts';
import { resultPlace } from './results.ts';
import type { StreamOutput } from './outputs.ts';
import type { StreamPlan } from './stream-plan.ts';
import type { Item, StreamLate, StreamResult } from './stream-result.ts';

export interface BoundOutputs {
  readonly results: readonly BoundOutput<StreamResult>[];
  readonly late: readonly BoundOutput<StreamLate>[];
}

const NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const MAX_NAME_LENGTH = 24;

/** @throws MillraceError `query.invalid` for names that cannot be, or that come twice */
export function bindOutputs({ outputs, lateOutputs }: StreamPlan): BoundOutputs {
  const names = new Set<string>();
  const bind = <I extends Item>(
    output: StreamOutput<I>,
    fallback: string,
    codec: Omit<BoundOutput<I>, 'name' | 'output'>,
  ): BoundOutput<I> => {
    const name = output.name ?? fallback;
    if (!NAME.test(name) || name.length > MAX_NAME_LENGTH || names.has(name)) {
      const reason = `must be its own, in lower-case words joined by dashes, ${MAX_NAME_LENGTH} characters at most`;
      throw invalidWindow('output', name, reason);
    }
    names.add(name);
    return { name, output, ...codec };
  };
  return {
    results: (outputs as readonly StreamOutput<StreamResult>[]).map((output, i) =>
      bind(output, `output-${i + 1}`, resultCodec),
    ),
    late: lateOutputs.map((output, i) => bind(output, `late-${i + 1}`, lateCodec)),
  };
}

const resultCodec: Omit<BoundOutput<StreamResult>, 'name' | 'output'> = {
  encode: ({ window, ...result }) => ({ ...result, window: { ...window } }) as unknown as JsonValue,
  decode: (stored) => stored as unknown as StreamResult,
  describe: (result) => ({ result, place: resultPlace(result) }),
};

const lateCodec: Omit<BoundOutput<StreamLate>, 'name' | 'output'> = {
  encode: ({ event, name, watermark, sequence }) => ({
    line: encodeLine(event),
    name,
    watermark,
    sequence,
  }),
  decode(stored) {
    const { line, ...late } = stored as unknown as Omit<StreamLate, 'event'> & { readonly line: string };
    return { ...late, event: decodeLine(line) };
  },
  describe: ({ event }) => ({ origin: { event, line: encodeLine(event) } }),
};
