/** Failures of the edge itself, one line of JSON each. What an event says is never in it. */
import { isWireError } from '../../src/errors.ts';

const MAX_MESSAGE_LENGTH = 300;

export function logFailure(at: string, error: unknown): void {
  const { name, message, stack } = error instanceof Error ? error : new Error(typeof error);
  console.error(
    JSON.stringify({
      level: 'error',
      at,
      name,
      code: isWireError(error) ? error.code : undefined,
      // The parser's own messages quote what was parsed.
      message: name === 'SyntaxError' ? undefined : message.slice(0, MAX_MESSAGE_LENGTH),
      stack: stack?.split('\n').filter((line) => /^\s+at /.test(line)),
    }),
  );
}
