/**
 * Runs a page's module in a real Chromium, in a profile on disk: in the incognito contexts of test runners IndexedDB is
 * half in memory, and its figures mean nothing.
 */
import { createServer, type Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { chromium } from 'playwright';
import { build } from 'vite';
import { chromiumArgs, findChromium } from '../chromium.ts';

/** Builds `test/bench/pages/NAME.ts`, whose module sets `globalThis.bench`, runs that and gives what it resolves to. */
export async function runInChromium<T>(name: string): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    await buildPage(name, join(folder, 'page'));
    const server = await serve(join(folder, 'page'));
    const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: findChromium(),
      args: [...chromiumArgs],
    });
    try {
      const page = await context.newPage();
      await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
      await page.waitForFunction('globalThis.bench !== undefined');
      return await page.evaluate<T>('globalThis.bench()');
    } finally {
      await context.close();
      server.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
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

function serve(folder: string): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (path === '/') {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>bench</title><script type="module" src="/page.js"></script>');
      return;
    }
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
