/**
 * Runs a page's module in a real Chromium, in a profile on disk: in the incognito contexts of test runners IndexedDB is
 * half in memory, and its figures mean nothing.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Page } from 'playwright';
import { build } from 'vite';
import { launchBrowser, type KillableBrowser } from '../e2e/browser.ts';

/** A browser, and a server of the page's module on its own origin. */
export interface BenchBrowser {
  /** A new tab, its module loaded. */
  open(): Promise<Page>;
  /** SIGKILL to all of the browser's processes at once, and a new browser on the same profile. */
  kill(): Promise<void>;
}

export interface ChromiumOptions {
  /** Answers what the page asks of its origin beside its own files. Returns false where it does not. */
  readonly answer?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** Builds `test/bench/pages/NAME.ts`, whose module sets `globalThis.bench`, runs that and gives what it resolves to. */
export function runInChromium<T>(name: string): Promise<T> {
  return inChromium(name, async ({ open }) => (await open()).evaluate<T>('globalThis.bench()'));
}

/** Builds `test/bench/pages/NAME.ts`, whose module sets `globalThis.bench`, for as long as `run` takes. */
export async function inChromium<T>(
  name: string,
  run: (browser: BenchBrowser) => Promise<T>,
  options: ChromiumOptions = {},
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const profile = join(folder, 'profile');
  let browser: KillableBrowser | undefined;
  let server: Server | undefined;
  try {
    await buildPage(name, join(folder, 'page'));
    server = await serve(join(folder, 'page'), options);
    const url = `http://localhost:${(server.address() as AddressInfo).port}/`;
    browser = await launchBrowser(profile);
    return await run({
      async open() {
        const page = await browser!.newPage();
        await page.goto(url);
        await page.waitForFunction('globalThis.bench !== undefined');
        return page;
      },
      async kill() {
        await browser!.kill();
        browser = await launchBrowser(profile);
      },
    });
  } finally {
    await browser?.kill();
    server?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function buildPage(name: string, outDir: string): Promise<void> {
  await build({
    root: join(import.meta.dirname, 'pages'),
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['millrace-source', 'module', 'browser', 'production'] },
    worker: { format: 'es' },
    build: {
      outDir,
      emptyOutDir: true,
      rolldownOptions: {
        input: join(import.meta.dirname, 'pages', `${name}.ts`),
        output: { entryFileNames: 'page.js' },
        preserveEntrySignatures: 'strict',
      },
    },
  });
}

const MIME: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.html': 'text/html' };

/** Isolated from other origins, so that the page's clock has steps of 5 µs and not of 100. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

function serve(folder: string, { answer }: ChromiumOptions): Promise<Server> {
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(ISOLATED)) response.setHeader(name, value);
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (path === '/') {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>bench</title><script type="module" src="/page.js"></script>');
      return;
    }
    if (answer?.(request, response)) return;
    try {
      const body = readFileSync(join(folder, path));
      response.setHeader('content-type', MIME[extname(path)] ?? 'application/octet-stream');
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  return new Promise((resolve) => void server.listen(0, '127.0.0.1', () => resolve(server)));
}
