/**
 * Runs a page's module in a real Chromium, in a profile on disk: in the incognito contexts of test runners IndexedDB is
 * half in memory, and its figures mean nothing.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Page } from 'playwright';
import { build } from 'vite';
import { launchBrowser, type KillableBrowser } from '../e2e/browser.ts';

/** A browser, and a server of the page's module on its own origin. */
export interface BenchBrowser {
  /** A new tab, its module loaded. */
  open(): Promise<Page>;
  /**
   * What the expression comes to in this page, with nobody who looks on: an inspector keeps the bodies of all requests,
   * hundreds of MB of the page's process. It is the last that is asked of this browser.
   */
  alone<T>(page: Page, expression: string): Promise<T>;
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
  const left = Promise.withResolvers<void>();
  const outcome = Promise.withResolvers<string>();
  const answer = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.url === '/left') void left.promise.then(() => response.end());
    else if (request.url === '/outcome')
      void text(request).then((body) => (response.end(), outcome.resolve(body)));
    else return options.answer?.(request, response) ?? false;
    return true;
  };
  try {
    await buildPage(name, join(folder, 'page'));
    server = await serve(join(folder, 'page'), { answer });
    const url = `http://localhost:${(server.address() as AddressInfo).port}/`;
    browser = await launchBrowser(profile);
    return await run({
      async open() {
        const page = await browser!.newPage();
        await page.goto(url);
        await page.waitForFunction('globalThis.bench !== undefined');
        return page;
      },
      async alone<T>(page: Page, expression: string) {
        await page.evaluate(
          `void fetch('/left').then(async () => ({ value: await (${expression}) }))
            .catch((error) => ({ error: String(error) }))
            .then((outcome) => fetch('/outcome', { method: 'POST', body: JSON.stringify(outcome) }))`,
        );
        await browser!.leave();
        left.resolve();
        const { value, error } = JSON.parse(await outcome.promise) as { value: T; error?: string };
        if (error !== undefined) throw new Error(error);
        return value;
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
