/** The services as child processes, which can be killed and started again on the same port and database. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createServer, type AddressInfo } from 'node:net';

export interface ServiceProcessOptions {
  readonly name: 'orders' | 'shipping';
  readonly endpoint: string;
  readonly key: string;
  /** Where its database is. */
  readonly folder: string;
}

export interface ServiceProcess {
  readonly url: string;
  readonly database: string;
  /** Starts it, again if need be; resolves when its process is there. It listens when it has found its edge. */
  start(): void;
  /** Resolves when it takes deliveries. */
  listening(): Promise<void>;
  /** SIGKILL, or another signal; resolves when it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

const LIMIT_MS = 60_000;

export async function serviceProcess(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const { name, endpoint, key, folder } = options;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const database = join(folder, `${name}.sqlite`);
  let child: ChildProcess | undefined;
  process.once('exit', () => child?.kill('SIGKILL'));
  return {
    url,
    database,
    start() {
      const entry = join(import.meta.dirname, 'service-process.ts');
      child = spawn(process.execPath, ['--conditions=millrace-source', entry, name], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: {
          ...process.env,
          NODE_NO_WARNINGS: '1',
          ...{ PORT: String(port), ENDPOINT: endpoint, KEY: key, DATABASE: database },
        },
      });
    },
    async listening() {
      const until = performance.now() + LIMIT_MS;
      while (performance.now() < until && child?.exitCode === null) {
        const answer = await fetch(`${url}/status`).catch(() => undefined);
        const status = (await answer?.json().catch(() => undefined)) as { state?: string } | undefined;
        if (status?.state === 'listening') return;
        await new Promise((done) => setTimeout(done, 20));
      }
      throw new Error(`${name} does not listen`);
    },
    async kill(signal = 'SIGKILL') {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((done) => child!.once('exit', done));
      child.kill(signal);
      await gone;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
