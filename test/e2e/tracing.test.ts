/**
 * One real click followed as one trace: from the page's capture through worker, edge, subscription and delivery to a service
 * whose effect goes back to the edge; its spans arrive at a collector, and the command line shows its tree.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EdgeProcess } from '../../demo/edge-process.ts';
import { serve } from '../../examples/two-services/node-server.ts';
import { parseTraceparent } from '../../src/event/trace-context.ts';
import { OtlpTracer } from '../../src/monitor/otlp.ts';
import { EventService } from '../../src/service/service.ts';
import { openMemory } from '../../src/storage/memory.ts';
import { Collector } from '../unit/collector.ts';
import { launchBrowser, type KillableBrowser } from './browser.ts';
import { startDeliveringEdge, until } from './delivery-edge.ts';
import { edgeEvents } from './edge-log.ts';
import { openSite, type Site } from './site.ts';

const script = join(import.meta.dirname, '..', '..', 'workers', 'cli', 'millrace.ts');

let folder: string;
let collector: Collector;
let edge: EdgeProcess;
let site: Site;
let browser: KillableBrowser;
let server: Server;
let service: EventService;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-tracing-'));
  collector = await Collector.listen();
  process.env['MILLRACE_OTLP_URL'] = collector.url;
  edge = await startDeliveringEdge(join(folder, 'state'));
  const body = '<main id="shop"><button id="add" data-capture="add">Add espresso</button></main>';
  site = await openSite('tracing', { folder: join(folder, 'site'), body });
  browser = await launchBrowser(join(folder, 'profile'));
  await startService();
});

afterAll(async () => {
  delete process.env['MILLRACE_OTLP_URL'];
  await service.stop();
  server.close();
  await browser.kill();
  await site[Symbol.asyncDispose]();
  await edge.kill();
  await collector[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** The stock's keeper: what is added to a cart is reserved. */
async function startService(): Promise<void> {
  server = await serve((request) => service.handleIncomingEvent(request), 0);
  const { port } = server.address() as AddressInfo;
  service = new EventService({
    name: 'stock',
    endpoint: edge.url,
    key: edge.keys.admin,
    callbackUrl: `http://127.0.0.1:${port}/events`,
    storage: openMemory(),
    tracer: new OtlpTracer({ url: collector.url, service: 'stock' }),
  });
  service.registerHandler('product.added', (event, transaction) => {
    transaction.publish('stock.reserved', event.data);
  });
  await service.start();
}

test('a click is one trace from page to handler and back, whose spans a collector has', async () => {
  const page = await browser.newPage();
  const query = new URLSearchParams({
    endpoint: edge.url,
    key: edge.keys.publishable,
    collector: collector.url,
  });
  await page.goto(`${site.url}/?${query}`);
  await page.waitForFunction('globalThis.shown !== undefined');
  await page.evaluate('shown.captureAlone()');
  await page.click('#add');
  await until('the effect at the edge', async () =>
    (await edgeEvents(edge)).some(({ type }) => type === 'stock.reserved'),
  );
  const names = [
    ...['capture', 'commit', 'push', 'accept'].map((step) => `${step} element.clicked`),
    ...['capture', 'commit', 'push', 'accept', 'deliver', 'handle'].map(
      (step) => `${step} product.added`,
    ),
    'accept stock.reserved',
  ];
  await until('all spans', () =>
    names.every((name) => collector.spans.some((one) => one.name === name)),
  );

  const events = await edgeEvents(edge);
  const byType = new Map(events.map((event) => [event.type, event]));
  const [clicked, added, reserved] = ['element.clicked', 'product.added', 'stock.reserved'].map((type) =>
    byType.get(type)!,
  );
  expect(added!.causation_id).toBe(clicked!.id);
  expect(reserved!.causation_id).toBe(added!.id);
  expect(byType.get('page.idled')).not.toHaveProperty('traceparent');
  const traceId = parseTraceparent(clicked!.traceparent)!.traceId;
  const traceIds = [added!, reserved!].map(({ traceparent }) => parseTraceparent(traceparent)?.traceId);
  expect(traceIds).toEqual([traceId, traceId]);

  // One tree: every span of that one trace, and each below another one but the first.
  const spans = collector.spans;
  expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceId]));
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  expect(roots.map(({ name, service }) => [name, service])).toEqual([
    ['capture element.clicked', 'shop-page'],
  ]);
  expect(
    spans.filter(({ parentSpanId }) => parentSpanId !== undefined && !ids.has(parentSpanId)),
  ).toEqual([]);
  expect(new Set(spans.map(({ service }) => service))).toEqual(
    new Set(['shop-page', 'millrace-edge', 'stock']),
  );
  const parentOf = (name: string): string | undefined => {
    const parent = spans.find((span) => span.name === name)?.parentSpanId;
    return spans.find(({ spanId }) => spanId === parent)?.name;
  };
  expect(parentOf('capture product.added')).toBe('capture element.clicked');
  for (const step of ['commit', 'push', 'accept', 'deliver', 'handle'])
    expect(parentOf(`${step} product.added`)).toBe('capture product.added');
  expect(parentOf('accept stock.reserved')).toBe('handle product.added');
});

test('`millrace trace` shows its tree, by any of its events', async () => {
  const events = await edgeEvents(edge);
  const idOf = (wanted: string): string => events.find(({ type }) => type === wanted)!.id;
  const reserved = events.find(({ type }) => type === 'stock.reserved')!;
  const env = { ...process.env, MILLRACE_URL: edge.url, MILLRACE_KEY: edge.keys.read };
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [script, 'trace', reserved.id], { env });
  const tree = stdout
    .split('\n')
    .slice(2)
    .map((line) => line.replace(/(?<=[\w)]) {2,}.*$/, ''));
  expect(tree).toEqual([
    'EVENT',
    'element.clicked',
    '└─ product.added',
    expect.stringMatching(/→ stock #1$/),
    '   └─ stock.reserved',
    '',
  ]);
  const trees = ['element.clicked', 'product.added'].map(async (type) => {
    const shown = await run(process.execPath, [script, 'trace', idOf(type)], { env });
    return shown.stdout.replace(idOf(type), reserved.id);
  });
  expect(await Promise.all(trees)).toEqual([stdout, stdout]);
  expect(stdout).toContain(parseTraceparent(reserved.traceparent)!.traceId);
  expect(stdout).toMatch(/stock #1 {2}delivered {2}1 attempt {2}20\d/);
});
