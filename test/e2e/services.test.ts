/**
 * The example's two services and the edge, each a process that is killed and started again in turn while orders are
 * placed: nothing is lost, and nothing is handled twice. The effects are counted in each service's own database.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serviceProcess, type ServiceProcess } from '../../examples/two-services/processes.ts';
import { EventClient } from '../../src/service/client.ts';
import type { ServiceStatus } from '../../src/service/service.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { openNodeSqlite } from '../../workers/node/sqlite.ts';
import { startPlainWorkerd, type PlainWorkerd } from '../plain-workerd.ts';
import { until } from './delivery-edge.ts';

const ROUNDS = Number(process.env['MILLRACE_KILLS'] ?? 6);
const ORDERS_A_ROUND = 30;

let folder: string;
let edge: PlainWorkerd;
let orders: ServiceProcess;
let shipping: ServiceProcess;
let till: EventClient;
let placed = 0;
let quantity = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-services-'));
  const variables = { MILLRACE_ALLOW_LOOPBACK: 'true' };
  edge = await startPlainWorkerd({ folder: join(folder, 'edge'), variables });
  const given = { endpoint: edge.url, key: edge.keys.admin, folder };
  orders = await serviceProcess({ name: 'orders', ...given });
  shipping = await serviceProcess({ name: 'shipping', ...given });
  till = new EventClient({
    ...{ endpoint: edge.url, key: edge.keys.admin, source: 'till', attempts: Infinity },
  });
  for (const service of [orders, shipping]) service.start();
  await Promise.all([orders.listening(), shipping.listening()]);
});

afterAll(async () => {
  till.disconnect();
  await Promise.all([orders.kill(), shipping.kill(), edge.kill()]);
  for (const storage of databases.values()) await storage.close();
  rmSync(folder, { recursive: true, force: true });
});

async function place(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const orderId = `o-${++placed}`;
    const taken = 1 + (placed % 3);
    quantity += taken;
    await till.publishEvent('order.placed', { orderId, quantity: taken }, { subject: orderId });
  }
}

const databases = new Map<string, Storage>();

/** What stands in a service's database now: another process may be writing to it. */
async function entriesOf({ database }: ServiceProcess, prefix: string) {
  const storage = databases.get(database) ?? openNodeSqlite(database);
  databases.set(database, storage);
  return storage.list(prefix, { limit: 10_000 });
}

async function statusOf({ url }: ServiceProcess): Promise<ServiceStatus> {
  return (await (await fetch(`${url}/status`)).json()) as ServiceStatus;
}

describe('two services and their edge', () => {
  test(
    'each killed in turn under load: no order is lost, and none is handled twice',
    { timeout: 300_000 },
    async () => {
      const kills = [
        async () => {
          await edge.kill();
          await edge.start();
        },
        async () => {
          await orders.kill();
          orders.start();
        },
        async () => {
          await shipping.kill();
          shipping.start();
        },
      ];
      for (let round = 0; round < ROUNDS; round++) {
        const before = (await entriesOf(shipping, 'parcels/')).length;
        const placing = place(ORDERS_A_ROUND);
        // With deliveries, commits and pushes under way.
        await until('a parcel', async () => (await entriesOf(shipping, 'parcels/')).length > before + 5);
        await kills[round % kills.length]!();
        await placing;
      }
      await Promise.all([orders.listening(), shipping.listening()]);
      const completed = async (): Promise<number> =>
        ((await entriesOf(orders, 'completed'))[0]?.[1] as number | undefined) ?? 0;
      await until('every order', async () => (await completed()) >= placed, 120_000);
      const ids = Array.from({ length: placed }, (_, i) => `o-${i + 1}`).toSorted();
      const once = { confirmed: 1, completed: 1 };
      expect(await entriesOf(orders, 'orders/')).toEqual(ids.map((id) => [`orders/${id}`, once]));
      expect(await entriesOf(shipping, 'parcels/')).toEqual(ids.map((id) => [`parcels/${id}`, 1]));
      expect(await entriesOf(shipping, 'taken')).toEqual([['taken', quantity]]);
      expect(await completed()).toBe(placed);
      await checkLog();
      for (const service of [orders, shipping]) {
        await until('an empty outbox', async () => (await statusOf(service)).waiting === 0);
        expect(await entriesOf(service, 'dead')).toEqual([]);
      }
    },
  );

  /** Of each type the edge has as many as orders were placed, each caused by the one before. */
  async function checkLog(): Promise<void> {
    const counts: Record<string, number> = {};
    const ids = new Map<string, string>();
    const causes: unknown[] = [];
    const wanted: unknown[] = [];
    await till.replay('#', ({ type, id, subject, causationId, correlationId }) => {
      counts[type] = (counts[type] ?? 0) + 1;
      const before = { 'order.confirmed': 'order.placed', 'parcel.sent': 'order.confirmed' }[type];
      ids.set(`${type} ${subject}`, id);
      if (before === undefined) return;
      causes.push([causationId, correlationId]);
      wanted.push([ids.get(`${before} ${subject}`), ids.get(`order.placed ${subject}`)]);
    });
    expect(causes).toEqual(wanted);
    expect(counts).toEqual({
      'order.placed': placed,
      'order.confirmed': placed,
      'parcel.sent': placed,
    });
  }

  test('what is forged, old or nobody’s is refused, what comes again is acknowledged, and all is counted', async () => {
    const [[, kept]] = (await entriesOf(shipping, 'service/shipping/subscriptions')) as never as [
      [string, { id: string; secrets: { text: string }[] }[]],
    ];
    const [{ id, secrets }] = kept as [{ id: string; secrets: [{ text: string }] }];
    const before = (await statusOf(shipping)).counts;
    const body = JSON.stringify({ id: 'x', type: 'order.confirmed', data: null });
    const post = async (webhookId: string, at: number, secret: string): Promise<number> => {
      const response = await fetch(`${shipping.url}/events`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'webhook-id': webhookId,
          'webhook-timestamp': String(Math.floor(at / 1000)),
          'webhook-signature': new Webhook(secret).sign(webhookId, new Date(at), body),
        },
        body,
      });
      return response.status;
    };
    const right = secrets[0].text;
    const wrong = `whsec_${btoa('x'.repeat(32))}`;
    const now = Date.now();
    expect(await post(`${id}_1`, now, wrong)).toBe(401);
    expect(await post(`${id}_1`, now - 600_000, right)).toBe(400);
    expect(await post(`sub_unknown_1`, now, right)).toBe(404);
    expect(await post(`${id}_1`, now, right)).toBe(200);
    const after = (await statusOf(shipping)).counts;
    expect(after.refused).toEqual({
      ...before.refused,
      forged: before.refused.forged + 1,
      old: before.refused.old + 1,
      unknown: before.refused.unknown + 1,
    });
    expect([after.repeated, after.handled]).toEqual([before.repeated + 1, before.handled]);
    expect(await entriesOf(shipping, 'taken')).toEqual([['taken', quantity]]);
  });
});

test('the example runs with one command', () => {
  const entry = join(import.meta.dirname, '..', '..', 'examples', 'two-services', 'start.ts');
  const run = spawnSync(process.execPath, ['--conditions=millrace-source', entry], {
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  expect([run.status, run.stderr]).toEqual([0, '']);
  const lines = run.stdout.trim().split('\n');
  for (const type of ['order.placed', 'order.confirmed', 'parcel.sent'])
    expect(lines.filter((line) => line.includes(type))).toHaveLength(10);
});
