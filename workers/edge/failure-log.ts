/** Failures of the edge itself, one line of JSON each. What an event says is never in it. */
import { createLogger, describeError } from '../../src/monitor/logger.ts';

const log = createLogger();

export function logFailure(at: string, error: unknown): void {
  log.error('a part of the edge failed', { at, ...describeError(error) });
}
