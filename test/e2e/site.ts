/** A site of the tests' own: a page's module, built as its users would, on an origin that is not the edge's. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { build } from 'vite';

export interface Site extends AsyncDisposable {
  readonly url: string;
}

export interface SiteOptions {
  /** Where the build goes. */
  readonly folder: string;
  /** What the page's body holds, before its module runs. */
  readonly body?: string;
  /** What is posted to the site, for it to keep beyond the life of a browser. */
  readonly onPost?: (path: string, body: string) => void;
}

const mediaTypes: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.html': 'text/html' };

/** Builds `test/e2e/pages/NAME.ts` and serves it: `/page.js` and its chunks as files, every other address as the page. */
export async function openSite(name: string, options: SiteOptions): Promise<Site> {
  await buildPage(name, options.folder);
  const server = createServer((request, response) => void answer(request, response, options));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise((done) => void server.close(() => done()));
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { folder, body = '', onPost }: SiteOptions,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  if (request.method === 'POST') {
    const text = await textOf(request);
    if (text !== undefined) onPost?.(pathname, text);
    response.writeHead(204).end();
    return;
  }
  const mediaType = mediaTypes[extname(pathname)];
  try {
    const file = mediaType === undefined ? page(body) : await readFile(join(folder, pathname));
    response.writeHead(200, { 'content-type': mediaType ?? 'text/html; charset=utf-8' }).end(file);
  } catch {
    response.writeHead(404).end();
  }
}

/** `undefined` where the browser was killed in the middle of it. */
async function textOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
    return undefined;
  }
  return Buffer.concat(chunks).toString();
}

function page(body: string): string {
  return `<!doctype html><html lang="en"><title>Shop</title><body>${body}<script type="module" src="/page.js"></script></body></html>`;
}

async function buildPage(name: string, outDir: string): Promise<void> {
  const root = join(import.meta.dirname, 'pages');
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['millrace-source', 'module', 'browser', 'production'] },
    worker: { format: 'es' },
    build: {
      outDir,
      emptyOutDir: true,
      rolldownOptions: {
        input: join(root, `${name}.ts`),
        output: { entryFileNames: 'page.js' },
        preserveEntrySignatures: 'strict',
      },
    },
  });
}
