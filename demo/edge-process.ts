/**
 * The edge as processes of its own, on this machine: wrangler, and the workerd that it starts, with
 * their state in a folder. For `npm start`, and for tests that kill it.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { edgeKeys, keysSecret, type EdgeKeys } from './edge-keys.ts';

export interface EdgeOptions {
  /** The port on 127.0.0.1; 0, the default, takes a free one. */
  readonly port?: number;
  /** Where the Durable Objects' state is kept between starts. */
  readonly stateDir: string;
  /** Keeps the edge's output for errors only, instead of passing it on. Default: false. */
  readonly quiet?: boolean;
  /** How long the edge may take to answer `GET /health`. Default: 60,000. */
  readonly startLimitMs?: number;
  /** Gives the start up, and ends what was started of it. */
  readonly signal?: AbortSignal;
}

export interface EdgeProcess {
  /** Such as `http://localhost:8787`. */
  readonly url: string;
  readonly port: number;
  /** Kept in the state's folder: the same at every start on it. */
  readonly keys: EdgeKeys;
  /** Of wrangler, which leads the process group that workerd is in. */
  readonly pid: number;
  /** Resolves when wrangler has ended, whoever ended it. */
  readonly exited: Promise<void>;
  /** Resolves when the edge has not answered ten times in a row, 2 s apart, or the signal is aborted. */
  silent(signal: AbortSignal): Promise<void>;
  /** Sends a signal, SIGKILL by default, to every process of the edge at once; resolves when all are gone. */
  kill(signal?: 'SIGINT' | 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Ends the edge in good order, within five seconds or by force. */
  stop(): Promise<void>;
  /** The last of what the edge wrote, 16 KiB at most. */
  output(): string;
}

const root = join(import.meta.dirname, '..');
const wrangler = join(root, 'node_modules', 'wrangler', 'bin', 'wrangler.js');
const outputBound = 16 * 1024;
const HEALTH_CHECK_MS = 2_000;
const HEALTH_LIMIT_MS = 2_000;
const HEALTH_FAILURES = 10;

/**
 * Starts the edge and resolves when it answers.
 *
 * @throws One sentence, when the port is taken, the edge's build fails, or it does not answer in time.
 */
export async function startEdge(options: EdgeOptions): Promise<EdgeProcess> {
  const port = await claimPort(options.port ?? 0);
  const keys = await edgeKeys(options.stateDir);
  const child = launch(port, options.stateDir, await variables(keys));
  const output = collect(child, options.quiet ?? false);
  const exited = goneWithUs(child);
  const edge: EdgeProcess = {
    url: `http://localhost:${port}`,
    port,
    keys,
    pid: child.pid ?? 0,
    exited,
    silent: (signal) => silence(port, signal),
    output,
    kill: (signal = 'SIGKILL') => killGroup(child, signal, exited),
    stop: () => stopGroup(child, exited),
  };
  try {
    await answering(edge, options.startLimitMs ?? 60_000, options.signal);
  } catch (error) {
    await edge.kill('SIGKILL');
    throw error;
  }
  return edge;
}

/** What the edge is told: its keys, and those that its page may be told. */
async function variables(keys: EdgeKeys): Promise<readonly string[]> {
  const { publishable, read } = keys;
  const given = {
    MILLRACE_KEYS: await keysSecret(keys),
    MILLRACE_PAGE_KEYS: JSON.stringify({ publishable, read }),
  };
  return Object.entries(given).flatMap(([name, value]) => ['--var', `${name}:${value}`]);
}

function launch(port: number, stateDir: string, given: readonly string[]): ChildProcess {
  mkdirSync(join(root, 'dist', 'demo'), { recursive: true }); // wrangler refuses to start without the assets' folder
  const args = ['dev', '--config', join(root, 'wrangler.toml'), '--local', '--ip', '127.0.0.1'];
  args.push('--port', String(port), '--inspector-port', '0', '--persist-to', resolve(stateDir));
  args.push('--show-interactive-dev-session', 'false', ...given);
  return spawn(process.execPath, [wrangler, ...args], {
    cwd: root,
    detached: process.platform !== 'win32', // a process group of its own, to be killed as one
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      CI: '1',
      NO_COLOR: '1',
      FORCE_COLOR: '0',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_WRITE_LOGS: 'false',
    },
  });
}

/** Resolves at the child's end, which comes at our own at the latest, were it by `process.exit`. */
function goneWithUs(child: ChildProcess): Promise<void> {
  const kill = (): void => void (child.pid !== undefined && signalGroup(child.pid, 'SIGKILL'));
  process.once('exit', kill);
  return new Promise((done) => {
    child.once('error', () => done());
    child.once('exit', () => {
      process.off('exit', kill);
      done();
    });
  });
}

function collect(child: ChildProcess, quiet: boolean): () => string {
  let kept = '';
  const keep = (chunk: Buffer): void => {
    kept = (kept + chunk.toString()).slice(-outputBound);
    if (!quiet) process.stderr.write(chunk);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.on('error', (error) => (kept += `\n${error.message}`));
  return () => kept;
}

/** A free port, or the one asked for if nobody listens there, on either loopback address. */
async function claimPort(port: number): Promise<number> {
  const free = await listenOnce('127.0.0.1', port);
  if (port !== 0) await listenOnce('::1', port);
  return free;
}

function listenOnce(host: string, port: number): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        fail(new Error(`Port ${port} is taken; choose another with PORT.`));
      else if (host === '::1') done(port); // no IPv6 here
      else fail(new Error(`Cannot listen on port ${port}: ${error.message}.`, { cause: error }));
    });
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      const found = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => done(found));
    });
  });
}

async function answering(edge: EdgeProcess, limitMs: number, signal?: AbortSignal): Promise<void> {
  const until = performance.now() + limitMs;
  const ended = edge.exited.then(() => true);
  while (performance.now() < until) {
    signal?.throwIfAborted();
    if (await healthy(edge.port)) return;
    if (edge.output().includes('Build failed with')) break; // wrangler would wait for the file to be mended
    if (await Promise.race([pause(100), ended])) break;
  }
  throw new Error(`The edge did not start. Its last words:\n${edge.output().trim()}`);
}

/** wrangler runs on when a workerd of its own has died. It starts another, which takes some seconds; or it does not. */
async function silence(port: number, signal: AbortSignal): Promise<void> {
  for (let failures = 0; failures < HEALTH_FAILURES && !signal.aborted;) {
    await pause(HEALTH_CHECK_MS);
    failures = (await healthy(port, HEALTH_LIMIT_MS)) ? 0 : failures + 1;
  }
}

async function healthy(port: number, limitMs = 5_000): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/health`, {
      signal: AbortSignal.timeout(limitMs),
    });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

async function stopGroup(child: ChildProcess, exited: Promise<void>): Promise<void> {
  const inOrder = killGroup(child, 'SIGTERM', exited).then(() => true);
  if (await Promise.race([inOrder, pause(5_000)])) return;
  await killGroup(child, 'SIGKILL', exited);
}

async function killGroup(
  child: ChildProcess,
  signal: NodeJS.Signals,
  exited: Promise<void>,
): Promise<void> {
  if (child.pid === undefined) return;
  if (process.platform === 'win32') spawnSync('taskkill', ['/pid', String(child.pid), '/T', '/F']);
  else signalGroup(child.pid, signal);
  await exited;
  while (process.platform !== 'win32' && groupLives(child.pid)) await pause(20);
}

/** Whether there was anybody to take the signal. */
function signalGroup(leader: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch {
    return false;
  }
}

/** Whether a process of the group still runs. The dead that nobody has yet reaped hold neither port nor file. */
function groupLives(leader: number): boolean {
  if (!signalGroup(leader, 0)) return false;
  if (!existsSync('/proc/self/stat')) return true;
  return readdirSync('/proc').some((entry) => {
    if (!/^\d+$/.test(entry)) return false;
    const [state, , group] = processState(entry);
    return group === String(leader) && state !== 'Z' && state !== 'X';
  });
}

/** State, parent and group, the fields that follow the command's name in parentheses. */
function processState(pid: string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ', 3);
  } catch {
    return []; // ended meanwhile
  }
}

function pause(ms: number): Promise<false> {
  return new Promise((done) => setTimeout(done, ms, false));
}
