/** Where in a pattern its reader stands, so that what is wrong with it is named by its place; and what it has read so far. */
import { MillraceError } from '../errors.ts';
import { patternLimits } from './pattern.ts';
import { shown } from './shown.ts';

export class PatternTrail {
  readonly #keys: (string | number)[] = [];
  #matchers = 0;

  inside<T>(key: string | number, read: () => T): T {
    this.enter(key);
    const value = read();
    this.leave();
    return value;
  }

  /** As `inside` does, for where no function is at hand. There is no way out but `leave`, or an error of the whole. */
  enter(key: string | number): void {
    this.#keys.push(key);
  }

  leave(): void {
    this.#keys.pop();
  }

  /** @throws MillraceError `pattern.invalid` where these are too many matchers */
  count(matchers: number): void {
    this.#matchers += matchers;
    if (this.#matchers > patternLimits.matchers)
      this.fail(
        undefined,
        `has more than ${patternLimits.matchers} matchers, with all its $or multiplied out`,
      );
  }

  /** @throws MillraceError `pattern.invalid`, always */
  fail(value: unknown, reason: string): never {
    const path = this.#keys
      .map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`)
      .join('');
    throw invalidPattern(path, value, reason);
  }
}

function invalidPattern(path: string, value: unknown, reason: string): MillraceError<'pattern.invalid'> {
  const got = value === undefined ? '' : `: got ${String(shown(value))}`;
  const where = path === '' ? 'the pattern' : `the pattern at ${path}`;
  return new MillraceError('pattern.invalid', `${where} ${reason}${got}`, {
    path,
    value: shown(value),
    reason,
  });
}
