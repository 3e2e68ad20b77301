/** Errors that nobody caught, few of each: a page that fails in a loop is told of, not followed. */
import { cut, page } from './address.ts';
import type { AutocapturedData } from './events.ts';
import type { Watch } from './watch.ts';

export interface ErrorOptions {
  /** The most that are told in a minute. Default: 10. The same one is told once in it. */
  readonly perMinute?: number;
}

type Thrown = AutocapturedData['error.thrown'];

const MINUTE_MS = 60_000;
const MOST = { message: 500, stack: 2_000, name: 100 };

export function watchErrors(watch: Watch, { perMinute = 10 }: ErrorOptions): void {
  let minute = -Infinity;
  const told = new Set<string>();
  let unreported = 0;
  const report = (kind: Thrown['kind'], error: unknown, message?: string): void => {
    if (performance.now() - minute >= MINUTE_MS) {
      minute = performance.now();
      told.clear();
    }
    const description = describe(error, message);
    const key = JSON.stringify(description);
    if (told.has(key) || told.size >= perMinute) return void unreported++;
    told.add(key);
    const since = unreported;
    unreported = 0;
    watch.capture('error.thrown', { kind, ...description, unreported: since, page: page() });
  };
  watch.on(window, 'error', (event) => {
    // A picture that does not load is no error of the page's code: its event is no ErrorEvent.
    if (event instanceof ErrorEvent) report('error', event.error, event.message);
  });
  watch.on(window, 'unhandledrejection', (event) =>
    report('rejection', (event as PromiseRejectionEvent).reason),
  );
}

function describe(error: unknown, message?: string): Pick<Thrown, 'name' | 'message' | 'stack'> {
  if (!(error instanceof Error)) {
    // What else is thrown may be anything, a visitor's data too: only a text is told.
    const text = message ?? (typeof error === 'string' ? error : '');
    return { name: typeof error, message: cut(text, MOST.message) };
  }
  const { stack } = error;
  return {
    name: cut(String(error.name), MOST.name),
    message: cut(String(error.message), MOST.message),
    ...(typeof stack === 'string' && { stack: cut(withoutQueries(stack), MOST.stack) }),
  };
}

/** Of the addresses in a stack. */
function withoutQueries(stack: string): string {
  return stack.replaceAll(/(https?:\/\/[^\s?#)]*)[?#][^\s:)]*/g, '$1');
}
