/**
 * What the edge says of itself is what happened: a real Prometheus scrapes it, and its counts are those of what was
 * sent, over a kill. And what the dashboard and the alerts ask for is there.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createEventFactory,
  encodeLine,
  EventBus,
  EventRouter,
  hostPorts,
  Monitor,
  openMemory,
  PubSub,
} from '../../src/index.ts';
import { encodePush } from '../../src/sync/protocol.ts';
import { startPlainWorkerd, type PlainWorkerd } from '../plain-workerd.ts';
import { installedPrometheus } from '../prometheus.ts';
import { Receiver } from '../unit/delivery-receiver.ts';
import { startPrometheus, type PrometheusProcess } from './prometheus-process.ts';

const ops = join(import.meta.dirname, '..', '..', 'ops');
const alerts = join(ops, 'prometheus', 'alerts.yml');
const tools = installedPrometheus();
if (tools === undefined)
  console.error('SKIPPED: the scrape by a real Prometheus, for there is none; see test/prometheus.ts.');

const REQUESTS = 20;
const EVENTS_A_REQUEST = 25;
const PUSHES = 4;
const EVENTS_A_PUSH = 50;

let folder: string;
let edge: PlainWorkerd;
let receiver: Receiver;
let wanted = 0;
const made = createEventFactory({ source: 'till', ports: hostPorts });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-metrics-'));
  receiver = await Receiver.listen();
  edge = await startPlainWorkerd({ folder, variables: { MILLRACE_ALLOW_LOOPBACK: 'true' } });
  await subscribe();
  await send();
});

afterAll(async () => {
  await edge?.kill();
  await receiver?.down();
  rmSync(folder, { recursive: true, force: true });
});

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${edge.keys.admin}`, ...(init.headers as object) };
  return fetch(edge.url + path, { ...init, headers });
}

async function post(path: string, body: string, type = 'application/json'): Promise<number> {
  const response = await ask(path, { method: 'POST', body, headers: { 'content-type': type } });
  await response.text();
  return response.status;
}

async function subscribe(): Promise<void> {
  // Each tenth fails at first: an attempt, and no delivery.
  receiver.behaviour = ({ id, sequence }, earlier) =>
    sequence % 10 === 0 && earlier.filter((one) => one.id === id).length < 2
      ? { status: 500 }
      : { status: 204 };
  const made = { service_name: 'mail', event_types: ['order.placed'], callback_url: receiver.url };
  expect(await post('/subscriptions', JSON.stringify(made))).toBe(201);
}

/** With a kill in the middle, repeats, and events that are refused. */
async function send(): Promise<void> {
  for (let request = 0; request < REQUESTS; request++) {
    const events = Array.from({ length: EVENTS_A_REQUEST }, (_, i) => ({
      ...{ id: `e-${request}-${i}`, type: i % 5 === 0 ? 'order.placed' : 'page.viewed', source: 'shop' },
      data: { i },
    }));
    wanted += events.filter(({ type }) => type === 'order.placed').length;
    expect(await post('/events', JSON.stringify(events))).toBe(200);
    if (request % 4 === 0) expect(await post('/events', JSON.stringify(events))).toBe(200);
    if (request === REQUESTS / 2) {
      await edge.kill();
      await edge.start();
    }
  }
  for (let push = 0; push < PUSHES; push++) {
    const lines = Array.from({ length: EVENTS_A_PUSH }, () => encodeLine(made('page.viewed', {})));
    const range = { producer: 'till-1', epoch: 1, seq: 1 + push * EVENTS_A_PUSH, count: EVENTS_A_PUSH };
    const body = encodePush({ ...range, holes: [], lines });
    expect(await post('/sync/push', body, 'application/x-ndjson')).toBe(200);
  }
  for (let i = 0; i < 3; i++) expect(await post('/events', '[{"type":"x"},{"type":"y"}]')).toBe(400);
}

const accepted = REQUESTS * EVENTS_A_REQUEST + PUSHES * EVENTS_A_PUSH;

/** Of the process that runs since the kill. */
const repeatedSince = Array.from({ length: REQUESTS }, (_, i) => i).filter(
  (request) => request % 4 === 0 && request > REQUESTS / 2,
).length;

async function until(what: string, holds: () => Promise<boolean>, more: () => string): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > end) throw new Error(`${what}: not within a minute. ${more()}`);
    await new Promise((done) => setTimeout(done, 100));
  }
}

describe.skipIf(tools === undefined)('a real Prometheus', () => {
  let prometheus: PrometheusProcess;

  beforeAll(async () => {
    const target = `127.0.0.1:${edge.port}`;
    // As the one who watches: a key that opens the metrics and nothing else.
    const given = { name: 'prometheus', scopes: ['metrics'] };
    const answer = await ask('/keys', {
      method: 'POST',
      body: JSON.stringify(given),
      headers: { 'content-type': 'application/json' },
    });
    const { key } = (await answer.json()) as { key: string };
    prometheus = await startPrometheus({ tools: tools!, folder, target, key, rules: alerts });
  });

  afterAll(async () => {
    await prometheus?.stop();
  });

  it('reads counts that are those of what was sent and delivered, over a kill', async () => {
    const value = (expression: string) => prometheus.value(expression);
    const delivered = 'sum(millrace_deliveries_delivered_total)';
    await until('the deliveries', async () => (await value(delivered)) === wanted, prometheus.output);
    expect(new Set(receiver.accepted.map(({ id }) => id)).size).toBe(wanted);
    expect(await value('up{job="millrace"}')).toBe(1);
    expect(await value('sum(millrace_events_accepted_total)')).toBe(accepted);
    expect(await value('sum(millrace_log_events)')).toBe(accepted);
    expect(await value('sum(millrace_deliveries_total)')).toBe(wanted);
    expect(await value('sum(millrace_deliveries_waiting)')).toBe(0);
    expect(await value('sum(millrace_deliveries_dead)')).toBe(0);
    expect(await value('sum(millrace_delivery_lag_events)')).toBe(0);
    // Of what was under way at the kill, six at most, nobody could write down how it ended.
    const failures = await value('sum(millrace_delivery_failures_total)');
    expect(failures).toBeGreaterThan(0);
    const unknown = receiver.received.length - wanted - failures!;
    expect(unknown).toBeGreaterThanOrEqual(0);
    expect(unknown).toBeLessThanOrEqual(6);
    expect(await value('sum(millrace_delivery_attempts_total)')).toBe(wanted + failures!);
    expect(await value('sum(millrace_delivery_seconds_count)')).toBe(wanted + failures!);
    expect(await value('sum(millrace_events_rejected_total{code="event.invalid"})')).toBe(6);
    expect(await value('sum(millrace_events_duplicate_total)')).toBe(repeatedSince * EVENTS_A_REQUEST);
    expect(await value('millrace_http_requests_total{route="POST /events",status="4xx"}')).toBe(3);
    expect(await value('millrace_http_requests_total{route="POST /sync/push",status="2xx"}')).toBe(
      PUSHES,
    );
    expect(await value('millrace_subscription_state{state="active"}')).toBe(1);
    expect(await value('millrace_metrics_unread')).toBe(0);
  });

  it('takes OpenMetrics, without a word against a sample', async () => {
    const { activeTargets } = await prometheus.ask<{ activeTargets: Record<string, string>[] }>(
      '/targets',
    );
    expect(activeTargets).toMatchObject([{ health: 'up', lastError: '' }]);
    expect(prometheus.output()).not.toMatch(/level=(warn|error)/);
    type Metadata = Record<string, { type: string }[]>;
    const metadata = await prometheus
      .ask<Metadata>('/targets/metadata')
      .then(() => prometheus.ask<Metadata>('/metadata'));
    expect(metadata['millrace_log_head']).toMatchObject([{ type: 'gauge' }]);
    expect(metadata['millrace_intake_seconds']).toMatchObject([{ type: 'histogram' }]);
  });

  it('has rules of which none is broken, and understands all that the dashboard asks', async () => {
    await until(
      'the rules',
      async () => (await healths()).every((health) => health === 'ok'),
      prometheus.output,
    );
    for (const expression of dashboardExpressions())
      await prometheus.ask(`/query?query=${encodeURIComponent(expression)}`);
  });

  it('finds the text, the rules and their tests sound', async () => {
    const promtool = (args: readonly string[], input?: string): string =>
      execFileSync(tools!.promtool, args, {
        cwd: join(ops, 'prometheus'),
        encoding: 'utf8',
        stdio: ['pipe', 'pipe', 'pipe'],
        ...(input !== undefined && { input }),
      });
    expect(promtool(['check', 'metrics'], await (await ask('/metrics')).text())).toBe('');
    expect(promtool(['check', 'metrics'], await servicesText())).toBe('');
    expect(promtool(['check', 'rules', 'alerts.yml'])).toContain('SUCCESS');
    expect(promtool(['test', 'rules', 'alerts.test.yml'])).toContain('SUCCESS');
    expect(promtool(['check', 'config', '--syntax-only', 'prometheus.yml'])).toContain('SUCCESS');
  });

  async function healths(): Promise<readonly string[]> {
    const { groups } = await prometheus.ask<{ groups: { rules: { health: string }[] }[] }>('/rules');
    const all = groups.flatMap(({ rules }) => rules.map(({ health }) => health));
    expect(all.length).toBeGreaterThan(10);
    return all;
  }
});

describe('the dashboard and the alerts', () => {
  it('have of each alert a test in which it fires', () => {
    const names = (file: string, pattern: RegExp): readonly string[] =>
      [...readFileSync(join(ops, 'prometheus', file), 'utf8').matchAll(pattern)].map(
        ([, name]) => name!,
      );
    const fired = new Set(names('alerts.test.yml', /alertname: (\w+)\n\s+exp_alerts:\n/g));
    const all = names('alerts.yml', /- alert: (\w+)/g);
    expect(all.length).toBeGreaterThan(10);
    expect(all.filter((name) => !fired.has(name))).toEqual([]);
  });

  it('ask for nothing that there is not', async () => {
    const texts = [await (await ask('/metrics')).text(), await servicesText()];
    const known = new Set(texts.flatMap(namesIn));
    const asked = [...dashboardExpressions(), readFileSync(alerts, 'utf8')].flatMap(
      (text) => text.match(/\bmillrace_\w+/g) ?? [],
    );
    expect(asked.length).toBeGreaterThan(50);
    expect([...new Set(asked)].filter((name) => !known.has(name))).toEqual([]);
  });
});

/** With the dashboard's variables filled in. */
function dashboardExpressions(): readonly string[] {
  const text = readFileSync(join(ops, 'grafana', 'millrace.json'), 'utf8');
  interface Panel {
    readonly targets?: readonly { readonly expr: string }[];
  }
  const { panels } = JSON.parse(text) as { readonly panels: readonly Panel[] };
  return panels
    .flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    .map((expr) => expr.replaceAll('$job', 'millrace').replaceAll('$__rate_interval', '1m'));
}

/** Every series' name, a histogram's three among them. */
function namesIn(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => /^([a-z]\w*)[ {]/.exec(line)?.[1] ?? []);
}

/** A service that has one of everything. */
async function servicesText(): Promise<string> {
  using monitor = new Monitor();
  const bus = new EventBus();
  bus.subscribe('#', () => undefined, { name: 'mail' });
  monitor.watchBus('shop', bus);
  bus.publish(made('order.placed', {}));
  const topics = new PubSub();
  topics.subscribe('#', () => undefined, { name: 'pack' });
  monitor.watchTopics('orders', topics);
  const router = new EventRouter({ targets: { bill: () => undefined } });
  router.addRule({ id: 'all', condition: { type: ['order.placed'] }, target: 'bill' });
  monitor.watchRouter('main', router);
  await router.dispatch(made('order.placed', {}));
  const log = monitor.timedStorage('device', openMemory());
  await log.commit([{ events: [made('order.placed', {})] }]);
  monitor.watchLog('device', log);
  monitor.watchSync('till', { storage: log, pusher: { status: { state: 'idle' } } });
  monitor.watchConsumer('bill', { status: () => ({ lag: 0, paused: undefined }) });
  monitor.watchWindows('views', {
    watermark: 1,
    counts: { events: 1, late: 0, deadLetters: 0 },
    size: { keys: 1, rows: 1 },
  });
  return monitor.text();
}
