/**
 * Finds a Chromium for the browser and end-to-end tests, on whatever machine they run:
 * `CHROMIUM_PATH`, one installed on the system, Playwright's own, and else installs one.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir, platform } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright';

/** What every Chromium under test is started with: no sandbox (containers), nothing of its own on the network. */
export const chromiumArgs: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * The path of a Chromium's executable. Installs one if the machine has none, which takes the network.
 *
 * @throws One sentence that says what to do, when there is none to be had, or `CHROMIUM_PATH` names no file.
 */
export function findChromium(): string {
  return named() ?? installed() ?? playwrights() ?? downloaded() ?? fromDistribution() ?? none();
}

function named(): string | undefined {
  const path = process.env['CHROMIUM_PATH'];
  if (path === undefined || path === '') return undefined;
  if (existsSync(path)) return path;
  throw new Error(`CHROMIUM_PATH is set to ${path}, but there is no such file.`);
}

function installed(): string | undefined {
  return candidates().find((path) => existsSync(path));
}

function candidates(): string[] {
  if (platform() === 'win32') return onWindows();
  const names = [
    'chromium',
    'chromium-browser',
    'google-chrome',
    'google-chrome-stable',
    'msedge',
    'microsoft-edge',
  ];
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const onPath = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return platform() === 'darwin' ? [...onPath, ...onMac()] : onPath;
}

function onMac(): string[] {
  const apps = ['Chromium', 'Google Chrome', 'Microsoft Edge'];
  const roots = ['/Applications', join(homedir(), 'Applications')];
  return apps.flatMap((app) => roots.map((root) => join(root, `${app}.app`, 'Contents', 'MacOS', app)));
}

function onWindows(): string[] {
  const roots = ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].map(
    (name) => process.env[name] ?? '',
  );
  const apps = ['Chromium\\Application\\chrome.exe', 'Google\\Chrome\\Application\\chrome.exe'];
  apps.push('Microsoft\\Edge\\Application\\msedge.exe');
  return apps.flatMap((app) => roots.filter((root) => root !== '').map((root) => join(root, app)));
}

function playwrights(): string | undefined {
  const path = chromium.executablePath();
  return path !== '' && existsSync(path) ? path : undefined;
}

function downloaded(): string | undefined {
  const cli = join(import.meta.dirname, '..', 'node_modules', 'playwright', 'cli.js');
  console.error('No Chromium found; downloading the one of Playwright.');
  return attempt(process.execPath, [cli, 'install', 'chromium']) ? playwrights() : undefined;
}

function fromDistribution(): string | undefined {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined;
  console.error('Installing the distribution’s Chromium.');
  const done = attempt('apt-get', ['update']) && attempt('apt-get', ['install', '-y', 'chromium']);
  return done ? installed() : undefined;
}

/** Runs a command, its output on our standard error, and says whether it succeeded. */
function attempt(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, {
      stdio: ['ignore', 2, 2],
      timeout: 10 * 60_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    return true;
  } catch {
    return false;
  }
}

function none(): never {
  throw new Error(
    'The browser tests need a Chromium, and none was found or could be installed: install Chromium, Chrome or Edge, or set CHROMIUM_PATH to its executable.',
  );
}
