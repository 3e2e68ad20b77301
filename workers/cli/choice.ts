/** The options that choose events, the same for every command that reads them. */
import { parseTimestamp } from '../../src/event/timestamp.ts';
import type { EventChoice } from '../../src/service/choice.ts';
import type { Pattern } from '../../src/routing/pattern.ts';
import { textOf, UsageError, type Options, type Values } from './command.ts';

export const choiceOptions = {
  source: { type: 'string' },
  subject: { type: 'string' },
  correlation: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  where: { type: 'string' },
} as const satisfies Options;

export const choiceUsage = `  TYPE                 a type, or a pattern of types: * is one word, # any number (order.*)
  --source TEXT        --subject TEXT        --correlation ID
  --from TIME          --to TIME             event time, ISO 8601; --to is not included
  --where PATTERN      a pattern over the whole event, as JSON: {"data":{"total":[{"numeric":[">=",100]}]}}`;

/** @throws UsageError */
export function choiceOf(types: readonly string[], values: Values): EventChoice {
  const pattern = patternOf(textOf(values, 'where'));
  if (pattern !== undefined && types.length > 0)
    throw new UsageError(
      'Types and --where do not go together: name the types in the pattern, {"type":[…]}.',
    );
  return {
    ...(types.length > 0 && { types }),
    pattern,
    source: textOf(values, 'source'),
    subject: textOf(values, 'subject'),
    correlationId: textOf(values, 'correlation'),
    from: timeOf(values, 'from'),
    to: timeOf(values, 'to'),
  };
}

export function timeOf(values: Values, name: string): number | undefined {
  const text = textOf(values, name);
  const time = text === undefined ? undefined : parseTimestamp(text);
  if (text !== undefined && time === undefined)
    throw new UsageError(
      `--${name} is ${JSON.stringify(text)}, which is not a time such as 2026-01-31T09:30:00Z.`,
    );
  return time;
}

function patternOf(text: string | undefined): Pattern | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Pattern;
  } catch (error) {
    throw new UsageError(`--where is no JSON: ${(error as Error).message}.`);
  }
}
