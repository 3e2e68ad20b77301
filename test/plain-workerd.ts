/**
 * The edge on plain workerd, without wrangler around it: the bundle that is deployed, Durable Objects in files, one
 * process. It starts in a fraction of a second and is some fifteen times faster than `wrangler dev`, so that it can be
 * measured, and killed hundreds of times.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import { edgeKeys, keysSecret, type EdgeKeys } from '../demo/edge-keys.ts';

export interface PlainWorkerdOptions {
  /** Where the bundle, the configuration and the objects' state are. */
  readonly folder: string;
  /** The Worker's module. Default: the edge's own. */
  readonly entry?: string;
  /** Durable Objects beside those of `wrangler.toml`, by their binding. */
  readonly objects?: Readonly<Record<string, string>>;
  /** Text bindings beside the keys. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Whether its inspector listens, and the bundle keeps its names. Default: false. */
  readonly inspected?: boolean;
}

export interface PlainWorkerd {
  readonly url: string;
  readonly port: number;
  readonly keys: EdgeKeys;
  /** Of its process, as it was started last. */
  readonly pid: number;
  /** Where the inspector listens; 0 where it does not. */
  readonly inspectorPort: number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again, on its port and its state. */
  start(): Promise<void>;
  /** The last that it wrote. */
  output(): string;
}

const root = join(import.meta.dirname, '..');
const workerd = join(root, 'node_modules', 'workerd', 'bin', 'workerd');
const START_LIMIT_MS = 30_000;
const OUTPUT_BOUND = 16_384;

export async function startPlainWorkerd(options: PlainWorkerdOptions): Promise<PlainWorkerd> {
  const { folder, inspected = false } = options;
  mkdirSync(join(folder, 'state'), { recursive: true });
  const port = await freePort();
  const inspectorPort = inspected ? await freePort() : 0;
  const keys = await edgeKeys(folder);
  const entry = options.entry ?? join(root, 'workers', 'edge', 'index.ts');
  await bundle(entry, { outfile: join(folder, 'worker.js'), minify: !inspected });
  writeFileSync(join(folder, 'config.capnp'), configuration(options, port, await keysSecret(keys)));
  let child: ChildProcess | undefined;
  let output = '';
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child!.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  };
  process.once('exit', () => child?.kill('SIGKILL'));
  const edge: PlainWorkerd = {
    url: `http://127.0.0.1:${port}`,
    port,
    keys,
    get pid() {
      return child?.pid ?? 0;
    },
    inspectorPort,
    kill,
    async start() {
      const inspector = inspected ? [`--inspector-addr=127.0.0.1:${inspectorPort}`] : [];
      child = spawn(workerd, ['serve', join(folder, 'config.capnp'), ...inspector], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const keep = (chunk: Buffer): void =>
        void (output = (output + chunk.toString()).slice(-OUTPUT_BOUND));
      child.stdout?.on('data', keep);
      child.stderr?.on('data', keep);
      await healthy(edge, child);
    },
    output: () => output,
  };
  await edge.start();
  return edge;
}

interface BundleOptions {
  readonly outfile: string;
  readonly minify: boolean;
}

async function bundle(entry: string, { outfile, minify }: BundleOptions): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    target: 'es2024',
    minify,
    keepNames: true,
    conditions: ['millrace-source', 'workerd', 'worker', 'browser'],
    external: ['cloudflare:*'],
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  });
}

function configuration(
  { folder, objects = {}, variables = {} }: PlainWorkerdOptions,
  port: number,
  secret: string,
) {
  const wrangler = readFileSync(join(root, 'wrangler.toml'), 'utf8');
  const declared = wrangler.matchAll(/^name = "([A-Z_]+)"\nclass_name = "(\w+)"$/gm);
  const classes = { ...Object.fromEntries([...declared].map(([, name, of]) => [name, of])), ...objects };
  const [, date] = /^compatibility_date = "([\d-]+)"$/m.exec(wrangler) ?? [];
  const texts = { MILLRACE_KEYS: secret, ...variables };
  const bindings = [
    ...Object.entries(classes).map(
      ([name, of]) => `(name = "${name}", durableObjectNamespace = "${of}")`,
    ),
    ...Object.entries(texts).map(([name, text]) => `(name = "${name}", text = ${JSON.stringify(text)})`),
  ];
  const namespaces = Object.values(classes).map(
    (of) => `(className = "${of}", uniqueKey = "${of}", enableSql = true)`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .edge),
    (name = "state", disk = (path = ${JSON.stringify(join(folder, 'state'))}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const edge :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${date}",
  bindings = [${bindings.join(', ')}],
  durableObjectNamespaces = [${namespaces.join(', ')}],
  durableObjectStorage = (localDisk = "state"),
);
`;
}

async function healthy(edge: PlainWorkerd, child: ChildProcess): Promise<void> {
  const until = performance.now() + START_LIMIT_MS;
  while (performance.now() < until && child.exitCode === null) {
    const answer = await fetch(`${edge.url}/health`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`workerd did not start. Its last words:\n${edge.output()}`);
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => done(port));
    });
  });
}
