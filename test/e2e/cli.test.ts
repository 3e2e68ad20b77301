/** `millrace`, each command as a process of its own, at a real edge. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EdgeProcess } from '../../demo/edge-process.ts';
import { Receiver } from '../unit/delivery-receiver.ts';
import { ask, startDeliveringEdge, until, type Shown } from './delivery-edge.ts';

const script = join(import.meta.dirname, '..', '..', 'workers', 'cli', 'millrace.ts');

let folder: string;
let edge: EdgeProcess;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
  edge = await startDeliveringEdge(join(folder, 'state'));
});

afterAll(async () => {
  await edge.kill();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  out(): string;
}

interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function start(words: readonly string[], { input, env = {} }: RunOptions = {}): Running {
  const child = spawn(process.execPath, [script, ...words], {
    cwd: folder,
    env: { ...process.env, MILLRACE_URL: edge.url, MILLRACE_KEY: edge.keys.admin, ...env },
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.end(input);
  const ended = new Promise<Ended>((done) => child.on('close', (code) => done({ code, out, err })));
  return { child, ended, out: () => out };
}

const run = (words: readonly string[], options?: RunOptions): Promise<Ended> =>
  start(words, options).ended;

/** What is different each time is the same. */
const settled = (text: string): string =>
  text
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/g, 'ID')
    .replaceAll(/\b(sub_)?[0-9a-f]{32}\b/g, '$1ID')
    .replaceAll(/[+]?\d+ ms\b/g, 'N ms');

test('publish stores an event once, and says so', async () => {
  const words = ['publish', 'order.placed', '{"total":30}', '--id', 'o-1', '--correlation', 'visit-1'];
  const timed = [...words, '--subject', 'order-1', '--time', '2026-01-31T09:15:00Z', '--source', 'till'];
  expect(await run(timed)).toEqual({ code: 0, out: 'published o-1\n', err: '' });
  expect(await run(timed)).toEqual({ code: 0, out: 'duplicate o-1\n', err: '' });
  const other = await run([...timed.with(2, '{"total":31}')]);
  expect([other.code, other.out]).toEqual([1, '']);
  expect(other.err).toContain('is known with other content');
  const json = await run([...timed, '--json']);
  expect(JSON.parse(json.out)).toEqual({
    event_id: 'o-1',
    status: 'duplicate',
    timestamp: '2026-01-31T09:15:00.000Z',
  });
});

test('publish - takes the standard input, line by line, and says which lines were refused', async () => {
  const caused = { correlation_id: 'visit-1', causation_id: 'o-1', source: 'stock' };
  const at = (second: number): string => `2026-01-31T09:15:0${second}.000Z`;
  const input = [
    {
      id: 'p-1',
      type: 'parcel.packed',
      data: { note: '\u001b[2J\u009b31m' },
      timestamp: at(2),
      ...caused,
    },
    { id: 'bad', type: '', data: {}, source: 'stock' },
    { id: 'm-1', type: 'mail.sent', data: null, timestamp: at(1), ...caused },
  ];
  const sent = await run(['publish', '-'], {
    input: input.map((one) => JSON.stringify(one)).join('\n'),
  });
  expect([sent.code, sent.out]).toEqual([1, 'sent 3, accepted 2, duplicate 0, rejected 1\n']);
  expect(sent.err).toContain('line 2 is rejected');
});

test('query shows a table, by types, choices and ids, and nothing that the terminal would obey', async () => {
  const { out, code } = await run(['query']);
  expect(code).toBe(0);
  expect(out).toMatchInlineSnapshot(`
    "TIME                      TYPE           SOURCE  ABOUT    ID   DATA
    2026-01-31T09:15:00.000Z  order.placed   till    order-1  o-1  {"total":30}
    2026-01-31T09:15:02.000Z  parcel.packed  stock   visit-1  p-1  {"note":"\\u001b[2J\\u009b31m"}
    2026-01-31T09:15:01.000Z  mail.sent      stock   visit-1  m-1  null
    "
  `);
  expect((await run(['query', 'parcel.*'])).out.split('\n')).toHaveLength(3);
  expect((await run(['query', '--subject', 'order-1'])).out).toContain('o-1');
  const where = '{"data":{"total":[{"numeric":[">=",31]}]}}';
  expect(await run(['query', '--where', where])).toEqual({
    code: 0,
    out: '',
    err: 'There are no such events.\n',
  });
  const first = await run(['query', '--limit', '1', '--json']);
  const cursor = /--after (\S+)/.exec(first.err)?.[1] ?? '';
  expect(JSON.parse(first.out)).toMatchObject({ id: 'o-1', data: { total: 30 } });
  const rest = await run(['query', '--after', cursor, '--json']);
  const ids = rest.out
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id);
  expect(ids).toEqual(['p-1', 'm-1']);
  const newest = await run(['query', '--last', '--limit', '2', '--json']);
  expect(newest.out.split('\n')[0]).toContain('m-1');
  expect((await run(['query', '--id', 'o-1'])).code).toBe(0);
  expect((await run(['query', '--id', 'nobody'])).code).toBe(1);
});

test('what query writes, publish takes', async () => {
  const { out } = await run(['query', '--json']);
  const again = await run(['publish', '-'], { input: out });
  expect(again).toMatchObject({ code: 0, out: 'sent 3, accepted 0, duplicate 3, rejected 0\n' });
});

test('trace shows causes and effects', async () => {
  const { code, out } = await run(['trace', 'm-1']);
  expect([code, out]).toEqual([0, (await run(['trace', 'visit-1'])).out.replace('visit-1', 'm-1')]);
  expect(out).toMatchInlineSnapshot(`
    "m-1  3 events  2000 ms from 2026-01-31T09:15:00.000Z
    EVENT                 TIME  SOURCE  ID
    order.placed         +0 ms  till    o-1
    ├─ parcel.packed  +2000 ms  stock   p-1
    └─ mail.sent      +1000 ms  stock   m-1
    "
  `);
  const json = JSON.parse((await run(['trace', 'visit-1', '--json'])).out) as { events: object[] };
  expect(json.events).toHaveLength(3);
  expect((await run(['trace', 'nobody'])).code).toBe(1);
});

test('windows shows the counts of a type and minute', async () => {
  const range = ['--from', '2026-01-31T09:00Z', '--to', '2026-01-31T10:00Z'];
  expect((await run(['windows', ...range])).out).toMatchInlineSnapshot(`
    "START                     TYPE           COUNT  REVISION
    2026-01-31T09:15:00.000Z  mail.sent          1         1
    2026-01-31T09:15:00.000Z  order.placed       1         1
    2026-01-31T09:15:00.000Z  parcel.packed      1         1
    "
  `);
  const { out } = await run(['windows', 'order.placed', ...range, '--json']);
  expect(JSON.parse(out)).toMatchObject({ key: 'order.placed', value: { count: 1 } });
});

test('replay sends a file once, and goes on', async () => {
  const file = join(folder, 'events.ndjson');
  const event = (i: number) => ({ id: `f-${i}`, type: 'page.viewed', data: {}, source: 'file' });
  writeFileSync(file, [1, 2, 3].map((i) => JSON.stringify(event(i))).join('\n'));
  const first = await run(['replay', file]);
  expect(first).toMatchObject({ code: 0, out: 'sent 3, accepted 3, duplicate 0, rejected 0\n' });
  const second = await run(['replay', file, '--json']);
  expect(JSON.parse(second.out)).toEqual({ sent: 3, accepted: 0, duplicate: 3, rejected: 0 });
  expect((await run(['replay', 'nowhere'])).code).toBe(2);
});

describe('tail', () => {
  test('shows events as they come, until Ctrl-C, and says where to go on', async () => {
    const tail = start(['tail', 'cart.*', '--after', 'start', '--json']);
    await run(['publish', 'cart.opened']);
    await until('the first', () => tail.out().includes('cart.opened'));
    await run(['publish', 'order.placed']);
    await run(['publish', 'cart.closed']);
    await until('the second', () => tail.out().includes('cart.closed'));
    tail.child.kill('SIGINT');
    const { code, out, err } = await tail.ended;
    const types = out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect([code, types]).toEqual([0, ['cart.opened', 'cart.closed']]);
    const [, cursor] = /^go on with: --after (\S+)\n$/.exec(err) ?? [];
    await run(['publish', 'cart.opened', '{"again":true}']);
    const rest = await run(['tail', 'cart.*', '--after', cursor!, '--limit', '1']);
    expect([rest.code, settled(rest.out).split('Z')[1]]).toEqual([
      0,
      '  cart.opened  cli  ID  {"again":true}\n',
    ]);
  });

  test('ends quietly where its reader has read enough', async () => {
    const tail = start(['tail', '--after', 'start']);
    await until('something', () => tail.out() !== '');
    tail.child.stdout!.destroy();
    await run(['publish', 'cart.opened']);
    const { code, err } = await tail.ended;
    expect([code, err]).toEqual([0, '']);
  });
});

test('dead letters are listed, shown, redriven and dropped', async () => {
  await using receiver = await Receiver.listen();
  receiver.behaviour = () => ({ status: 422, body: 'no \u001b[31mstock' });
  const { id } = await ask<Shown>(`${edge.url}/subscriptions`, 'POST', {
    service_name: 'shipping',
    event_types: ['parcel.packed', 'mail.sent'],
    callback_url: receiver.url,
    from: 'start',
    retry_for_ms: 0,
  });
  const shown = () => ask<Shown>(`${edge.url}/subscriptions/${id}`);
  await until('two dead letters', async () => (await shown()).dead_letters === 2);
  const listed = await run(['dead-letters']);
  expect(listed.code).toBe(0);
  expect(settled(listed.out)).toMatchInlineSnapshot(`
    "SUBSCRIPTION                          SERVICE   SEQUENCE  ATTEMPTS  EVENTS  REASON
    sub_ID  shipping         2         1  m-1     422 no \\u001b[31mstock
    sub_ID  shipping         1         1  p-1     422 no \\u001b[31mstock
    "
  `);
  expect((await run(['dead-letters', id, '--json'])).out.trim().split('\n')).toHaveLength(2);
  expect((await run(['dead-letters', 'show', id, '1'])).out).toContain('"status": "dead"');
  expect((await run(['trace', 'visit-1'])).out).toContain('→ shipping #1  dead');
  receiver.behaviour = () => ({ status: 204 });
  expect(await run(['dead-letters', 'drop', id, '2'])).toEqual({ code: 0, out: '1 dropped\n', err: '' });
  expect(await run(['dead-letters', 'redrive', id])).toEqual({ code: 0, out: '1 redriven\n', err: '' });
  await until('it to be delivered', async () => (await shown()).delivered === 1);
  expect((await run(['dead-letters', 'drop', id, '2'])).code).toBe(1);
  expect((await run(['dead-letters'])).err).toBe('There are no dead letters.\n');
  const again = await run(['replay', '--subscription', id, '--after', 'start']);
  expect(again.code).toBe(0);
  await until('all again', async () => (await shown()).delivered === 3);
});

describe('what goes wrong', () => {
  test.each([
    [['tial'], 2, 'There is no command "tial".'],
    [['query', '--limt', '3'], 2, 'Unknown option'],
    [['query', '--limit', 'many'], 2, 'not a whole number from 1'],
    [['query', '--from', 'today'], 2, 'not a time such as'],
    [['query', 'a.b', '--where', '{}'], 2, 'do not go together'],
    [['publish', 'order.placed', '{total:30}'], 2, 'DATA is no JSON'],
    [['publish'], 2, 'No TYPE is given'],
    [['trace'], 2, 'One ID'],
    [['dead-letters', 'burn'], 2, 'none of list, show, redrive and drop'],
    [['query', '--url', 'ftp://x'], 2, 'no http address'],
    [['query', '--url', 'http://127.0.0.1:1'], 3, 'Is it running'],
    [['query', '--key', 'mr_read_wrong'], 1, 'Give a key of this edge'],
    [['query', '--after', 'yesterday'], 1, 'must be a cursor'],
    [['query', '--where', '{"data":7}'], 1, ''],
  ] as const)('millrace %j ends with %i', async (words, code, says) => {
    const ended = await run(words);
    expect([ended.code, ended.out]).toEqual([code, '']);
    expect(ended.err).toContain(says);
    expect(ended.err).not.toMatch(/^\s+at /m);
  });

  test('a key may not do more than its scope', async () => {
    const env = { MILLRACE_KEY: edge.keys.read };
    const { code, err } = await run(['publish', 'order.placed'], { env });
    expect([code, err.includes('scope')]).toEqual([1, true]);
  });

  test('help is no failure', async () => {
    for (const words of [['--help'], ['help', 'tail'], ['tail', '-h'], ['publish', '--help']]) {
      const { code, out } = await run(words);
      expect([code, out.startsWith('Usage: millrace')]).toEqual([0, true]);
    }
  });
});

/** util-linux's `script` runs a command in a terminal of its own. */
test.skipIf(!existsSync('/usr/bin/script'))(
  'colours are for a terminal, and not where NO_COLOR is',
  async () => {
    const inTerminal = (env: Record<string, string>): Promise<string> => {
      const words = `${process.execPath} ${script} query --subject order-1`;
      const child = spawn('/usr/bin/script', ['-qec', words, '/dev/null'], {
        env: {
          ...{ PATH: process.env['PATH'], TERM: 'xterm-256color' },
          ...{ MILLRACE_URL: edge.url, MILLRACE_KEY: edge.keys.read },
          ...env,
        },
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let out = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
      return new Promise((done) => child.on('close', () => done(out.replaceAll('\r', ''))));
    };
    const coloured = await inTerminal({});
    expect(coloured).toContain('\u001b[36morder.placed\u001b[39m');
    const plain = await inTerminal({ NO_COLOR: '1' });
    expect(plain).toBe(stripVTControlCharacters(plain));
    expect(plain).toContain('order.placed');
  },
);
