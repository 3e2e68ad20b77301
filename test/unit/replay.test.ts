import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ReplayEdge, type Fault } from './replay-edge.ts';

const script = join(import.meta.dirname, '../../workers/cli/replay.ts');

let edge: ReplayEdge;
let url: string;
let folder: string;

beforeEach(async () => {
  edge = new ReplayEdge();
  url = (await edge.listen()).href;
  folder = mkdtempSync(join(tmpdir(), 'replay-'));
});

afterEach(() => {
  edge.close();
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the command as a person does. `kill` may end it early. */
function run(args: readonly string[], input?: string, kill?: Promise<NodeJS.Signals>): Promise<Ended> {
  const child = spawn(process.execPath, [script, ...args], { cwd: folder });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.end(input);
  void kill?.then((signal) => child.kill(signal));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

const event = (i: number) => ({ id: `e-${i}`, type: 'page.viewed', data: { i }, source: 'test' });
const lines = (count: number) => Array.from({ length: count }, (_, i) => JSON.stringify(event(i)));

function file(content: readonly string[] | Buffer, name = 'events.ndjson'): string {
  const path = join(folder, name);
  writeFileSync(path, Buffer.isBuffer(content) ? content : `${content.join('\n')}\n`);
  return path;
}

describe('a replay', () => {
  it('sends every line once, in order and in batches; a second one finds duplicates', async () => {
    const path = file(lines(1200));
    const first = await run([path, '--url', url]);
    expect(first).toMatchObject({ code: 0, out: 'sent 1200, accepted 1200, duplicate 0, rejected 0\n' });
    expect([...edge.stored.values()]).toEqual(lines(1200));
    expect(edge.requests).toBe(3);
    const second = await run([path, '--url', url, '--batch', '600']);
    expect(second).toMatchObject({
      code: 0,
      out: 'sent 1200, accepted 0, duplicate 1200, rejected 0\n',
    });
    expect(edge.requests).toBe(5);
  });

  it('reads gzip whatever the name, and the standard input', async () => {
    const zipped = await run([file(gzipSync(lines(10).join('\n')), 'events'), '--url', url]);
    expect(zipped.out).toBe('sent 10, accepted 10, duplicate 0, rejected 0\n');
    const piped = await run(['-', '--url', url], lines(12).join('\r\n'));
    expect(piped.out).toBe('sent 12, accepted 2, duplicate 10, rejected 0\n');
  });

  it('keeps requests below the size that the edge takes', async () => {
    const big = lines(100).map((line) =>
      line.replace('"source"', `"pad":"${'é'.repeat(60_000)}","source"`),
    );
    const ended = await run([file(big), '--url', url]);
    expect(ended.out).toBe('sent 100, accepted 100, duplicate 0, rejected 0\n');
    expect(edge.largest).toBeLessThan(4_194_304);
    expect(edge.requests).toBeLessThan(6);
  });

  it('reports what is refused by its line, and sends the others', async () => {
    const bad = lines(1000);
    bad[2] = 'no json';
    bad[3] = '';
    bad[4] = '{"id":"n","data":1}';
    bad[600] = JSON.stringify({ ...event(7), data: 'other' });
    bad[601] = '"text"';
    bad[602] = `"${'x'.repeat(5_000_000)}"`;
    const ended = await run([file(bad), '--url', url]);
    expect(ended).toMatchObject({ code: 1, out: 'sent 999, accepted 994, duplicate 0, rejected 5\n' });
    const reported = ended.err.split('\n').filter((line) => line.includes('rejected'));
    expect(reported).toEqual([
      expect.stringMatching(/^line 3 is rejected: is no JSON/),
      'line 5 is rejected: type must be a string',
      'line 601 is rejected: id is known with other content',
      'line 602 is rejected: type must be a string',
      'line 603 is rejected: is longer than 4194304 bytes',
    ]);
  });

  it('counts each event once, whatever fails on the way', async () => {
    const faults: Fault[] = ['busy', 'cut before', 'none', 'cut after', 'busy', 'cut after', 'none'];
    edge.fault = () => faults[edge.requests % faults.length]!;
    const anonymous = lines(300).map((line) => line.replace(/"id":"[^"]*",/, ''));
    const path = file(anonymous);
    const ended = await run([path, '--url', url, '--batch', '50']);
    expect(ended.code).toBe(0);
    expect(ended.err).toContain('trying again');
    expect(edge.stored.size).toBe(300);
    expect(
      [...edge.stored.values()].map((text) => (JSON.parse(text) as { data: { i: number } }).data.i),
    ).toEqual([...Array(300).keys()]);
    edge.fault = () => 'none';
    expect((await run([path, '--url', url])).out).toBe(
      'sent 300, accepted 0, duplicate 300, rejected 0\n',
    );
  });

  it.each(['SIGKILL', 'SIGINT'] as const)(
    'goes on after %s from its last acknowledged line',
    async (signal) => {
      const path = file(lines(1000));
      const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
      edge.fault = () => {
        if (edge.requests === 4) resolve(signal);
        return edge.requests >= 4 ? 'busy' : 'none';
      };
      const killed = await run([path, '--url', url, '--batch', '100'], undefined, promise);
      expect(killed.code).not.toBe(0);
      expect(killed.out).toBe('');
      expect(edge.stored.size).toBe(300);

      edge.fault = () => 'none';
      edge.requests = 0;
      const ended = await run([path, '--url', url, '--batch', '100']);
      expect(ended).toMatchObject({
        code: 0,
        out: 'sent 1000, accepted 1000, duplicate 0, rejected 0\n',
      });
      expect(ended.err).toContain('going on after line 300');
      expect(edge.requests).toBe(7);
      expect([...edge.stored.values()]).toEqual(lines(1000));
      expect(readdirSync(join(folder, '.millrace', 'replay'))).toEqual([]);
    },
  );

  describe('that was interrupted begins anew', () => {
    const third = (i: number) => `{"id":"other-${i}","type":"page.viewed","data":null,"source":"test"}`;

    async function interrupted(path: string): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
      edge.fault = () => {
        if (edge.requests === 4) resolve('SIGKILL');
        return edge.requests >= 4 ? 'busy' : 'none';
      };
      await run([path, '--url', url, '--batch', '100'], undefined, promise);
      expect(edge.stored.size).toBe(300);
      edge.fault = () => 'none';
    }

    it('where the file is another one by now, be it larger or of fewer lines', async () => {
      for (const other of [1000, 200]) {
        const path = file(lines(1000));
        await interrupted(path);
        file(Array.from({ length: other }, (_, i) => third(i)));
        const ended = await run([path, '--url', url]);
        expect(ended.out).toBe(`sent ${other}, accepted ${other}, duplicate 0, rejected 0\n`);
        expect(ended.err).toContain('beginning anew: the file has changed');
        edge.stored.clear();
        edge.requests = 0;
      }
    });

    it('where one line that was sent has changed, and goes on where only later ones have', async () => {
      const path = file(lines(1000));
      await interrupted(path);
      file([...lines(299), third(299), ...lines(1000).slice(300)]);
      expect((await run([path, '--url', url])).out).toBe(
        'sent 1000, accepted 701, duplicate 299, rejected 0\n',
      );
      edge.stored.clear();
      edge.requests = 0;
      file(lines(1000));
      await interrupted(path);
      file([...lines(300), third(300)]);
      const ended = await run([path, '--url', url]);
      expect(ended.out).toBe('sent 301, accepted 301, duplicate 0, rejected 0\n');
      expect(ended.err).toContain('going on after line 300');
    });

    it('where the edge has lost what it had acknowledged, though it has stored others since', async () => {
      const path = file(lines(1000));
      await interrupted(path);
      edge.stored.clear();
      for (let i = 0; i < 500; i++) edge.stored.set(`other-${i}`, '');
      const ended = await run([path, '--url', url]);
      expect(ended.out).toBe('sent 1000, accepted 1000, duplicate 0, rejected 0\n');
      expect(ended.err).toContain('beginning anew: the edge has lost');
    });
  });

  it('sends what stands before the damage of a file, and says where that is', async () => {
    const whole = gzipSync(lines(100_000).join('\n'));
    const path = file(whole.subarray(0, whole.length - 1000), 'cut.gz');
    const ended = await run([path, '--url', url, '--batch', '10000']);
    expect([ended.code, ended.out]).toEqual([1, '']);
    const [, last] = /cut\.gz is damaged after line (\d+): unexpected end of file\.$/m.exec(ended.err)!;
    expect(Number(last)).toBeGreaterThan(90_000);
    expect(edge.stored.size).toBe(Number(last));

    file(whole, 'cut.gz');
    const mended = await run([path, '--url', url, '--batch', '10000']);
    expect(mended.err).toContain(`going on after line ${last}`);
    expect(mended.out).toBe('sent 100000, accepted 100000, duplicate 0, rejected 0\n');
  });

  it('does not try again what can never be reached', async () => {
    const ended = await run([file(lines(1)), '--url', 'http://localhost:1']);
    expect(ended).toMatchObject({
      code: 1,
      err: 'Port 1 belongs to another protocol and is never asked over HTTP: check --url.\n',
    });
  });

  it('begins anew where asked to', async () => {
    const path = file(lines(200));
    const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>();
    edge.fault = () => {
      if (edge.requests === 2) resolve('SIGKILL');
      return edge.requests >= 2 ? 'busy' : 'none';
    };
    await run([path, '--url', url, '--batch', '100'], undefined, promise);
    edge.fault = () => 'none';
    const ended = await run([path, '--url', url, '--batch', '100', '--restart']);
    expect(ended.out).toBe('sent 200, accepted 100, duplicate 100, rejected 0\n');
  });

  it('says what is wrong, in one sentence', async () => {
    const cut = file(gzipSync(lines(1000).join('\n')).subarray(0, 500), 'cut.gz');
    const wrong: [readonly string[], string][] = [
      [[], 'No FILE is given.'],
      [['a', 'b'], 'One FILE is replayed at a time, and 2 are given.'],
      [['a', '--nonsense'], "Unknown option '--nonsense'."],
      [['a', '--url', 'ftp://x'], '--url is "ftp://x", which is not an http address.'],
      [['a', '--batch', '10001'], '--batch is "10001", which is not a whole number from 1 to 10000.'],
      [[join(folder, 'none')], `There is no file ${join(folder, 'none')}.`],
      [[folder], `${folder} is a directory.`],
      [
        [cut, '--url', url],
        expect.stringMatching(/cut\.gz is damaged after line \d+: unexpected end of file\.$/),
      ],
    ];
    for (const [args, sentence] of wrong) {
      const ended = await run(args);
      expect([ended.code, ended.out, ended.err.split('\n')[0]]).toEqual([1, '', sentence]);
    }
    expect((await run(['--help'])).code).toBe(0);
  });
});
