/**
 * Finds a Prometheus for the test that has itself scraped: `PROMETHEUS_PATH`, one on the PATH, one that was unpacked
 * before, and else the distribution's package, unpacked and not installed: installed it would start as a service.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

export interface PrometheusTools {
  readonly server: string;
  readonly promtool: string;
}

const unpacked = join(import.meta.dirname, '..', 'node_modules', '.cache', 'millrace-prometheus');

/** One that is there. */
export function installedPrometheus(): PrometheusTools | undefined {
  const named = process.env['PROMETHEUS_PATH'];
  if (named !== undefined && named !== '') {
    const tools = toolsIn(dirname(named));
    if (tools === undefined)
      throw new Error(
        `PROMETHEUS_PATH is set to ${named}, but prometheus and promtool are not both there.`,
      );
    return tools;
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const folder of [...folders, join(unpacked, 'usr', 'bin')]) {
    const tools = toolsIn(folder);
    if (tools !== undefined) return tools;
  }
  return undefined;
}

/** Sees to it that there is one, where the system's packages can be had. Says so where there is none. */
export function preparePrometheus(): void {
  if (installedPrometheus() !== undefined) return;
  if (existsSync('/usr/bin/apt-get')) unpack();
  if (installedPrometheus() !== undefined) return;
  console.error(
    'There is no Prometheus here: the test of a real scrape is SKIPPED. Install it, or set PROMETHEUS_PATH to it.',
  );
}

function toolsIn(folder: string): PrometheusTools | undefined {
  const server = join(folder, 'prometheus');
  const promtool = join(folder, 'promtool');
  return existsSync(server) && existsSync(promtool) ? { server, promtool } : undefined;
}

function unpack(): void {
  console.error('Fetching the distribution’s Prometheus.');
  const folder = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'));
  try {
    const fetched =
      attempt('apt-get', ['download', 'prometheus'], folder) ||
      (process.getuid?.() === 0 &&
        attempt('apt-get', ['update'], folder) &&
        attempt('apt-get', ['download', 'prometheus'], folder));
    const file = readdirSync(folder).find((name) => name.endsWith('.deb'));
    if (!fetched || file === undefined) return;
    mkdirSync(unpacked, { recursive: true });
    attempt('dpkg-deb', ['--extract', file, unpacked], folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function attempt(command: string, args: readonly string[], cwd: string): boolean {
  try {
    execFileSync(command, args, { cwd, stdio: ['ignore', 2, 2], timeout: 5 * 60_000 });
    return true;
  } catch {
    return false;
  }
}
