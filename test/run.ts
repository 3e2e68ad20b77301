/**
 * `npm test`: the checks, then the tests, each step's output as it comes, and at the end what passed and failed.
 * Names of steps as arguments run those alone. A check counts as one; a project that runs no test has failed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findChromium } from './chromium.ts';
import { preparePrometheus } from './prometheus.ts';

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const root = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'millrace-test-'));

const steps: Readonly<Record<string, () => Promise<Outcome>>> = {
  types: () => check('types'),
  lint: () => check('lint'),
  format: () => check('format:check'),
  unit: () => project('unit'),
  browser: () => project('browser'),
  workers: () => project('workers'),
  e2e: () => project('e2e'),
};

async function check(script: string): Promise<Outcome> {
  const code = await run(`npm run --silent ${script}`, [], true);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

async function project(name: string): Promise<Outcome> {
  const report = join(scratch, `${name}.json`);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--config', join(root, 'test', 'vitest.config.ts'), '--project', name];
  args.push('--reporter=default', '--reporter=json', `--outputFile.json=${report}`);
  const code = await run(process.execPath, args, false);
  const { passed, failed, skipped } = readReport(report);
  if (passed + failed === 0) console.error(`${name}: no test ran.`);
  const broken = failed === 0 && (code !== 0 || passed === 0);
  return { passed, failed: broken ? 1 : failed, skipped };
}

interface Report {
  readonly numPassedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly { status: string; assertionResults: readonly { status: string }[] }[];
}

/** A file that failed before its tests counts as one failure. */
function readReport(path: string): Outcome {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(path, 'utf8')) as Report;
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
  const failed = report.testResults.map(({ status, assertionResults }) => {
    const tests = assertionResults.filter((result) => result.status === 'failed').length;
    return tests === 0 && status === 'failed' ? 1 : tests;
  });
  return {
    passed: report.numPassedTests,
    failed: failed.reduce((sum, count) => sum + count, 0),
    skipped: report.numPendingTests,
  };
}

/** The exit code; a command that could not start, or died of a signal, has failed. */
function run(command: string, args: readonly string[], shell: boolean): Promise<number> {
  return new Promise((done) => {
    const child = spawn(command, args, { cwd: root, shell, stdio: 'inherit' });
    child.once('error', () => done(1));
    child.once('exit', (code) => done(code ?? 1));
  });
}

function chosen(): readonly string[] {
  const names = process.argv.slice(2);
  const unknown = names.find((name) => !Object.hasOwn(steps, name));
  if (unknown === undefined) return names.length > 0 ? names : Object.keys(steps);
  throw new Error(`There is no step ${unknown}; there are ${Object.keys(steps).join(', ')}.`);
}

async function main(): Promise<Outcome> {
  const names = chosen();
  // Found once, before anything runs: the steps' processes take it from the environment.
  if (names.some((name) => name === 'browser' || name === 'e2e'))
    process.env['CHROMIUM_PATH'] = findChromium();
  if (names.includes('e2e')) preparePrometheus();
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const name of names) {
    console.log(`\n── ${name}`);
    const outcome = await steps[name]?.();
    const { passed, failed, skipped } = outcome ?? { passed: 0, failed: 1, skipped: 0 };
    console.log(
      `${name}: ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} SKIPPED` : ''}`,
    );
    total.passed += passed;
    total.failed += failed;
  }
  return total;
}

let total: Outcome = { passed: 0, failed: 1, skipped: 0 };
try {
  total = await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
