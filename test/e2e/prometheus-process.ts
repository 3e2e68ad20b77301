/** A real Prometheus that scrapes an edge, and what it has read. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { PrometheusTools } from '../prometheus.ts';

export interface PrometheusOptions {
  readonly tools: PrometheusTools;
  readonly folder: string;
  /** Such as `127.0.0.1:8787`. */
  readonly target: string;
  readonly key: string;
  /** A file of rules. */
  readonly rules: string;
}

export interface PrometheusProcess {
  /** The value of an expression that is one number; `undefined` where it is nothing. */
  value(expression: string): Promise<number | undefined>;
  /** What its HTTP API answers, from `/api/v1` on. @throws Error where it says so */
  ask<T>(path: string): Promise<T>;
  stop(): Promise<void>;
  output(): string;
}

export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusProcess> {
  const { tools, folder, key } = options;
  const port = await freePort();
  writeFileSync(join(folder, 'millrace.key'), key);
  writeFileSync(join(folder, 'prometheus.yml'), configuration(options));
  const child = spawn(
    tools.server,
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const orphan = (): void => void child.kill('SIGKILL');
  process.once('exit', orphan);
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  let output = '';
  const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-16_384));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1${path}`);
    const answer = (await response.json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  };
  return {
    ask,
    async value(expression) {
      const { result } = await ask<{ result: { value: [number, string] }[] }>(
        `/query?query=${encodeURIComponent(expression)}`,
      );
      if (result.length > 1) throw new Error(`${expression} is ${result.length} series, not one`);
      return result[0] && Number(result[0].value[1]);
    },
    async stop() {
      process.off('exit', orphan);
      child.kill('SIGTERM');
      await exited;
    },
    output: () => output,
  };
}

/** As `ops/prometheus/prometheus.yml`, in a hurry. */
function configuration({ folder, target, rules }: PrometheusOptions): string {
  return `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [${JSON.stringify(rules)}]
scrape_configs:
  - job_name: millrace
    authorization: { type: Bearer, credentials_file: ${JSON.stringify(join(folder, 'millrace.key'))} }
    static_configs: [{ targets: [${JSON.stringify(target)}] }]
`;
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
