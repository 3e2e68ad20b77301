/** Puts a request through its schema, and says by JSON pointer what is wrong with it. */
import type { z } from 'zod';
import type { HTTPException } from 'hono/http-exception';
import { MAX_FIELD_PROBLEMS, refusal, type FieldProblem } from './problem.ts';

/** What a body holds, all of which is stored or nothing. @throws HTTPException 400 that names each field */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const errors = problemsOf(result.error);
  throw refusal({ code: 'event.invalid', detail: describeUnstored(errors), errors });
}

/** What is asked for by the address. @throws HTTPException 400 that names each parameter */
export function parseQuery<Schema extends z.ZodType>(
  schema: Schema,
  parameters: Readonly<Record<string, string | readonly string[]>>,
): z.output<Schema> {
  const result = schema.safeParse(parameters);
  if (result.success) return result.data;
  throw invalidQuery(result.error);
}

/** 400 that names each parameter. */
export function invalidQuery(error: z.ZodError): HTTPException {
  const errors = problemsOf(error);
  return refusal({ code: 'query.invalid', detail: describe(errors), errors });
}

export function problemsOf({ issues }: z.ZodError): readonly FieldProblem[] {
  const problems = issues.flatMap((issue): FieldProblem[] =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          pointer: pointerOf([...issue.path, key]),
          detail: 'is no parameter of this address',
        }))
      : [{ pointer: pointerOf(issue.path), detail: issue.message }],
  );
  return problems.slice(0, MAX_FIELD_PROBLEMS);
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

/** Of a request that would have stored something. */
export function describeUnstored(errors: readonly FieldProblem[]): string {
  return `${describe(errors)}; nothing of the request was stored`;
}

function describe(errors: readonly FieldProblem[]): string {
  const [first] = errors;
  if (first === undefined) return 'the request is invalid';
  const others = errors.length > 1 ? `, and ${errors.length - 1} more` : '';
  return `${first.pointer || 'the body'} ${first.detail}${others}`;
}

function pointerOf(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
