/** Puts a request through its schema, and says by JSON pointer what is wrong with it. */
import type { z } from 'zod';
import { MAX_FIELD_PROBLEMS, refusal, type FieldProblem, type ProblemCode } from './problem.ts';

/** @throws HTTPException 400 that names each field */
export function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code: ProblemCode,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues
    .slice(0, MAX_FIELD_PROBLEMS)
    .map(({ path, message }): FieldProblem => ({ pointer: pointerOf(path), detail: message }));
  throw refusal({ code, detail: describeErrors(errors), errors });
}

/** @throws HTTPException 400 for what is no JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refusal({
      code: 'request.malformed',
      detail: `the body is no JSON: ${(error as Error).message.slice(0, 200)}`,
    });
  }
}

export function describeErrors(errors: readonly FieldProblem[]): string {
  const [first] = errors;
  if (first === undefined) return 'the request is invalid; nothing of it was stored';
  const others = errors.length > 1 ? `, and ${errors.length - 1} more` : '';
  return `${first.pointer || 'the body'} ${first.detail}${others}; nothing of the request was stored`;
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
