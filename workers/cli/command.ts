/** What a command is: its words, its options, and what it does with them. */
import type { ParseArgsConfig } from 'node:util';
import type { EventClient } from '../../src/service/client.ts';
import type { EdgeRequests } from '../../src/service/edge-requests.ts';
import type { Output } from './output/output.ts';

/** How the process ends. */
export const exitCodes = {
  /** Done. */
  done: 0,
  /** The edge refused it, or a part of it; or there is none of what was asked for. */
  refused: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** The edge is out of reach. */
  unreachable: 3,
  /** Ended by Ctrl-C, before it was done. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

export type Options = NonNullable<ParseArgsConfig['options']>;

/** As the command line has them: text, several texts, or whether it is there. */
export type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export interface CommandContext {
  readonly values: Values;
  readonly positionals: readonly string[];
  readonly client: EventClient;
  /** For what the client has no name for. */
  readonly edge: EdgeRequests;
  readonly url: URL;
  readonly key: string | undefined;
  readonly output: Output;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  readonly usage: string;
  readonly options: Options;
  run(context: CommandContext): Promise<ExitCode>;
}

/** Says what is wrong with the command line, and what would be right. Ends with `exitCodes.usage`. */
export class UsageError extends Error {}

/** Of an option that is given once at most. */
export function textOf(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

/** @throws UsageError where it is no whole number from `least` to `most` */
export function numberOf(
  values: Values,
  name: string,
  {
    least,
    most,
    fallback,
  }: { readonly least: number; readonly most: number; readonly fallback: number },
): number {
  const text = textOf(values, name);
  if (text === undefined) return fallback;
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new UsageError(
    `--${name} is ${JSON.stringify(text)}, which is not a whole number from ${least} to ${most}.`,
  );
}
