/** `npm start`, as the README says it: one line, and there is a page and an edge; Ctrl-C, and nothing is left. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const POLL_MS = 100;

let state: string;
let port: number;
let url: string;

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), 'millrace-start-'));
  port = await freePort();
  url = `http://localhost:${port}`;
});

afterEach(() => rmSync(state, { recursive: true, force: true }));

test('npm start serves the page and the edge, keeps its state, and Ctrl-C ends all of it', async () => {
  let keys: Readonly<Record<string, string>> = {};
  await whileRunning(async (_, output) => {
    expect(await (await fetch(url)).text()).toContain('<title>');
    expect((await fetch(`${url}/events`)).status).toBe(401);
    keys = printedKeys(output());
    const published = await fetch(`${url}/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${keys['publishable']}` },
      body: JSON.stringify({ id: 'first', type: 'order.placed', data: { total: 30 }, source: 'test' }),
    });
    expect(await published.json()).toMatchObject({ event_id: 'first', status: 'published' });
  });
  await expect(fetch(url)).rejects.toThrow('fetch failed');
  await whileRunning(async (_, output) => {
    expect(printedKeys(output())).toEqual(keys);
    const headers = { authorization: `Bearer ${keys['read']}` };
    expect(await (await fetch(`${url}/events/first`, { headers })).json()).toMatchObject({
      id: 'first',
      data: { total: 30 },
    });
  });
});

test('a second one on the same state is refused by name, and a signal to npm alone ends the first', async () => {
  await whileRunning(async (npm) => {
    const built = () => statSync(join(root, 'dist', 'demo', 'index.html')).mtimeMs;
    const before = built();
    const second = start(await freePort());
    expect(await second.exited).toBe(1);
    const named =
      /Millrace runs already on the state in .*\(process (\d+), port (\d+)\): .*MILLRACE_STATE\.$/m;
    const [, pid, itsPort] = named.exec(second.output())!;
    expect([processes().has(Number(pid)), Number(itsPort)]).toEqual([true, port]);
    expect(built()).toBe(before);
    expect((await fetch(url)).ok).toBe(true);

    const ours = descendants(npm.pid!);
    expect(ours.length).toBeGreaterThan(3);
    npm.kill('SIGTERM');
    await until(() => ours.every((process) => !processes().has(process)));
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });
});

test('an edge that answers no more is stopped, and said to have died', async () => {
  const npm = start(port);
  try {
    await npm.said(url);
    const ours = descendants(npm.child.pid!);
    const commands = processes();
    const entry = ours.find((pid) => commands.get(pid)!.command.includes(`entry=127.0.0.1:${port}`))!;
    // Its parent would start another one.
    process.kill(commands.get(entry)!.parent, 'SIGSTOP');
    process.kill(entry, 'SIGKILL');
    expect(await npm.exited).not.toBe(0);
    expect(npm.output()).toContain(`The edge at ${url} answers no more and was stopped`);
    await until(() => ours.every((pid) => !processes().has(pid)));
  } finally {
    interrupt(npm.child);
  }
});

/** By name, as in `admin key: …`. */
function printedKeys(output: string): Readonly<Record<string, string>> {
  const keys = Object.fromEntries(
    [...output.matchAll(/^(admin|publishable|read) key: (mr_\S+)$/gm)].map(([, name, key]) => [
      name,
      key,
    ]),
  ) as Record<string, string>;
  expect(Object.keys(keys)).toEqual(['admin', 'publishable', 'read']);
  return keys;
}

interface Started {
  readonly child: ChildProcess;
  /** Its exit code, `null` where a signal has ended it. */
  readonly exited: Promise<number | null>;
  output(): string;
  /** Resolves when it has written the text; rejects when it ends before. */
  said(text: string): Promise<void>;
}

function start(onPort: number): Started {
  const child = spawn('npm', ['start'], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PORT: String(onPort), MILLRACE_STATE: state },
  });
  let written = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      written += chunk.toString();
      for (const listener of listeners) listener();
    });
  }
  const exited = new Promise<number | null>((done) => child.once('exit', done));
  const said = (text: string) =>
    new Promise<void>((done, fail) => {
      const listener = () => (written.includes(text) ? done() : undefined);
      listeners.add(listener);
      listener();
      void exited.then(() => fail(new Error(`npm start ended early:\n${written}`)));
    });
  return { child, exited, output: () => written, said };
}

/** Runs `npm start` until it says that it is running, then the test, then presses Ctrl-C and waits for its end. */
async function whileRunning(
  run: (npm: ChildProcess, output: () => string) => Promise<void>,
): Promise<void> {
  const { child, exited, said, output } = start(port);
  try {
    await said('read key: ');
    await run(child, output);
  } finally {
    interrupt(child);
    await exited;
  }
}

/** Ctrl-C in a terminal goes to the whole foreground group. */
function interrupt({ pid }: ChildProcess): void {
  try {
    process.kill(-pid!, 'SIGINT');
  } catch {
    // All of it has ended.
  }
}

interface Process {
  readonly parent: number;
  readonly command: string;
  /** Z or X: dead. */
  readonly state: string;
}

/** All that run, by id. The dead that nobody has yet reaped run no more. */
function processes(): Map<number, Process> {
  const all = existsSync('/proc/self/stat') ? fromProc() : fromPs();
  return new Map(all.filter(([, { state }]) => !/^[ZX]/.test(state)));
}

function fromProc(): [number, Process][] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid): [number, Process][] => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return [[Number(pid), { parent: Number(parent), command, state }]];
    } catch {
      return []; // It has ended meanwhile.
    }
  });
}

function fromPs(): [number, Process][] {
  const table = execFileSync('ps', ['-axo', 'pid=,ppid=,stat=,command='], { encoding: 'utf8' });
  return table
    .trim()
    .split('\n')
    .map((row) => {
      const [pid, parent, state = '', ...command] = row.trim().split(/\s+/);
      return [Number(pid), { parent: Number(parent), command: command.join(' '), state }];
    });
}

function descendants(of: number): number[] {
  const all = processes();
  const children = [...all].filter(([, { parent }]) => parent === of).map(([pid]) => pid);
  return children.flatMap((pid) => [pid, ...descendants(pid)]);
}

async function until(holds: () => boolean): Promise<void> {
  await expect.poll(holds, { interval: POLL_MS, timeout: 15_000 }).toBe(true);
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}
