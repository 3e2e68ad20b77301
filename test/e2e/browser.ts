/** A Chromium as a process of its own on a profile on disk, so that a test can kill it as a whole and start it again. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright';
import { chromiumArgs, findChromium } from '../chromium.ts';

export interface KillableBrowser {
  newPage(): Promise<Page>;
  /** Lets the pages go on with nobody who looks on: what their requests carry is kept for him otherwise. */
  leave(): Promise<void>;
  /** SIGKILL to every process of the browser at once. */
  kill(): Promise<void>;
}

const START_LIMIT_MS = 30_000;

/** `more` are switches beside those of every test. */
export async function launchBrowser(
  profile: string,
  more: readonly string[] = [],
): Promise<KillableBrowser> {
  const portFile = join(profile, 'DevToolsActivePort');
  rmSync(portFile, { force: true });
  const args = [
    '--headless',
    '--remote-debugging-port=0',
    `--user-data-dir=${profile}`,
    ...chromiumArgs,
    ...more,
    'about:blank',
  ];
  const child = spawn(findChromium(), args, { detached: true, stdio: 'ignore' });
  const browser = await connect(child, portFile);
  return {
    newPage: () => browser.contexts()[0]!.newPage(),
    leave: () => browser.close(),
    kill: async () => {
      const exited = new Promise((done) => child.once('exit', done));
      process.kill(-child.pid!, 'SIGKILL');
      await exited;
      await browser.close();
    },
  };
}

async function connect(child: ChildProcess, portFile: string): Promise<Browser> {
  const end = performance.now() + START_LIMIT_MS;
  const killWithUs = (): void => void process.kill(-child.pid!, 'SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  for (;;) {
    const [port, path] = readPort(portFile);
    if (port !== undefined && path !== undefined)
      return chromium.connectOverCDP(`ws://127.0.0.1:${port}${path}`);
    if (child.exitCode !== null)
      throw new Error(`Chromium ended with ${child.exitCode} before it was ready.`);
    if (performance.now() > end) throw new Error('Chromium was not ready in time.');
    await new Promise((done) => setTimeout(done, 50));
  }
}

function readPort(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch {
    return []; // not written yet
  }
}
