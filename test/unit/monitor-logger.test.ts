/** Structured logs: levels, fields, and nothing of what events say. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLogger, MillraceError, type LoggerOptions } from '../../src/index.ts';

function logger(options: LoggerOptions = {}) {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
    ports: { now: () => 1_700_000_000_000 },
    ...options,
  });
  return { log, lines };
}

describe('a log', () => {
  it('is a line of JSON with time, level and text, and with the fields of all that led to it', () => {
    const { log, lines } = logger({ fields: { service: 'billing' } });
    log.with({ shard: 0 }).info('billed', { order: 'o-1', level: 'forged' });
    expect(lines).toEqual([
      {
        ...{ time: '2023-11-14T22:13:20.000Z', level: 'info', text: 'billed' },
        ...{ service: 'billing', shard: 0, order: 'o-1' },
      },
    ]);
  });

  it('writes from its level on', () => {
    const { log, lines } = logger({ level: 'warn' });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level](level);
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'error']);
  });

  it('tells of an error its name, code, message and place, and nothing that a parser quoted', () => {
    const { log, lines } = logger();
    const parsing = (() => {
      try {
        return JSON.parse('{"card":"4111"') as unknown;
      } catch (error) {
        return error;
      }
    })();
    log.error('failed', { error: parsing });
    log.error('failed', {
      error: new MillraceError('timeout', 'too long', { what: 'x', timeoutMs: 1 }),
      wire: new MillraceError('timeout', 'too long', { what: 'x', timeoutMs: 1 }).toWire(),
    });
    expect(JSON.stringify(lines)).not.toContain('4111');
    expect(lines[1]).toMatchObject({
      error: { name: 'MillraceError', code: 'timeout', message: 'too long' },
      wire: { code: 'timeout' },
    });
  });

  it('holds nothing of what events say, wherever it stands, unless that is asked for', () => {
    const secret = 'SECRET-4111';
    const field = fc.constantFrom('data', 'line', 'event', 'events', 'body', 'token', 'authorization');
    const inside = fc.constantFrom('order', 'list', 'deep');
    fc.assert(
      fc.property(field, fc.array(inside, { maxLength: 6 }), (name, path) => {
        let fields: Record<string, unknown> = { [name]: { card: secret }, kept: 1 };
        for (const step of path) fields = step === 'list' ? { list: [fields] } : { [step]: fields };
        const { log, lines } = logger();
        log.info('x', fields);
        expect(JSON.stringify(lines)).not.toContain(secret);
      }),
    );
    const { log, lines } = logger({ payloads: true });
    log.info('x', { data: { card: secret } });
    expect(JSON.stringify(lines)).toContain(secret);
  });

  it('never throws, and is never long', () => {
    const { log, lines } = logger();
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const bad = {
      get field(): never {
        throw new Error('no');
      },
    };
    log.info('x'.repeat(10_000), {
      circle,
      big: 10n,
      text: 'y'.repeat(10_000),
      list: Array(10_000).fill(1),
    });
    log.info('x', { bad });
    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines[0]).length).toBeLessThan(2_000);
    expect(lines[1]).toMatchObject({ fields: 'cannot be shown' });
  });
});
