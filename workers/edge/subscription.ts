/**
 * A subscription's Durable Object: its cursors, its deliveries, its alarm. What it does is `delivery/`; here it gets a
 * database, the network, a clock, and an alarm that is always set again, whatever happened: in the constructor, after
 * each run, after each change. A hint sets it to now, and may be lost.
 */
import { DurableObject } from 'cloudflare:workers';
import { isWireError, MillraceError } from '../../src/errors.ts';
import { decodeLine } from '../../src/event/wire.ts';
import { hostPorts } from '../../src/ports.ts';
import type { Position } from '../../src/storage/position.ts';
import {
  change,
  create,
  dropDead,
  redriveDead,
  replay,
  type Change,
  type Controlled,
} from './delivery/control.ts';
import { callbackRules, queuesOf, resolverOf } from './delivery/host.ts';
import { Deliverer } from './delivery/deliverer.ts';
import type { ReplayRange } from './delivery/feed.ts';
import { deliveriesOf, findDelivery, listDeliveries, type HistoryOptions } from './delivery/history.ts';
import { explainSelection } from './delivery/selection.ts';
import { readSettings, type Settings } from './delivery/settings.ts';
import { sourcesOf } from './delivery/sources-of.ts';
import { hasTables, type SqlDatabase } from './delivery/tables.ts';
import {
  viewDelivery,
  viewSubscription,
  type DeliveryView,
  type SubscriptionView,
} from './delivery/view.ts';
import type { Env } from './environment.ts';
import { logFailure } from './failure-log.ts';
import { subscriptionMetrics, type SubscriptionMetrics } from './metrics/subscription-metrics.ts';
import type { Reply } from './shard-calls.ts';
import type { CarriedBy, DeliveryExplanation, Shown, SubscriptionCalls } from './subscription-calls.ts';
import { tracerOf } from './tracing.ts';

export class Subscription extends DurableObject<Env> implements SubscriptionCalls {
  readonly #database: SqlDatabase;
  #deliverer: Deliverer | undefined;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    const { sql } = context.storage;
    this.#database = {
      exec: (statement, ...bindings) => sql.exec(statement, ...bindings).toArray(),
      transaction: (run) => context.storage.transactionSync(run),
    };
    if (hasTables(this.#database)) this.#open();
    void context.blockConcurrencyWhile(() => this.#arm());
  }

  create(settings: Settings, starts: Readonly<Record<string, Position>>): Promise<Reply<Shown>> {
    return answer(async () => {
      const secret = create(this.#database, settings, starts, hostPorts);
      const deliverer = this.#open();
      await this.#arm();
      await deliverer.consent();
      await this.#arm();
      return { subscription: this.#view(), secret };
    });
  }

  describe(): Promise<Reply<SubscriptionView>> {
    return this.#controlling(() => this.#view());
  }

  change(given: Change): Promise<Reply<Shown>> {
    return this.#controlling(async (controlled, deliverer) => {
      const secret = change(controlled, given);
      deliverer.reload();
      deliverer.hint();
      await this.#arm();
      if (given.callbackUrl !== undefined || given.state === 'active') await deliverer.consent();
      await this.#arm();
      return { subscription: this.#view(), ...(secret !== undefined && { secret }) };
    });
  }

  end(): Promise<Reply<null>> {
    return answer(async () => {
      this.#deliverer?.end();
      this.#deliverer = undefined;
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.deleteAll();
      return null;
    });
  }

  deliveries(options: HistoryOptions): Promise<Reply<readonly DeliveryView[]>> {
    return this.#controlling(({ database }) =>
      listDeliveries(database, options).map((delivery) => viewDelivery(this.#id, delivery)),
    );
  }

  delivery(sequence: number): Promise<Reply<DeliveryView>> {
    return this.#controlling(({ database }) => viewDelivery(this.#id, findDelivery(database, sequence)));
  }

  redrive(
    sequences?: readonly number[],
  ): Promise<Reply<{ readonly redriven: number; readonly more: boolean }>> {
    return this.#changing((controlled) => redriveDead(controlled, sequences));
  }

  drop(sequence: number): Promise<Reply<null>> {
    return this.#changing((controlled) => {
      dropDead(controlled, sequence);
      return null;
    });
  }

  replay(ranges: readonly ReplayRange[]): Promise<Reply<readonly string[]>> {
    return this.#changing((controlled) => replay(controlled, ranges));
  }

  explain(line: string): Promise<Reply<DeliveryExplanation>> {
    return this.#controlling(({ database }) => {
      const { id, serviceName, selection } = readSettings(database);
      const event = decodeLine(line);
      const { matched, failed } = explainSelection(selection, event);
      const { reason, path, actual } = failed ?? {};
      return {
        ...{ subscription: id, service_name: serviceName, matched },
        ...(reason !== undefined && {
          failed: { reason, ...(path !== undefined && { path }), ...(actual && { actual }) },
        }),
        deliveries: deliveriesOf(database, event.id).map((delivery) => viewDelivery(id, delivery)),
      };
    });
  }

  deliveriesOf(ids: readonly string[]): Promise<Reply<CarriedBy>> {
    return this.#controlling(({ database }) => {
      const { id, serviceName } = readSettings(database);
      const found = ids.flatMap((event) => deliveriesOf(database, event));
      // A delivery of several of them is one.
      const distinct = new Map(found.map((delivery) => [delivery.sequence, delivery]));
      const deliveries = [...distinct.values()].map((delivery) => viewDelivery(id, delivery));
      return { subscription: id, service_name: serviceName, deliveries };
    });
  }

  metrics(): Promise<Reply<SubscriptionMetrics>> {
    return this.#controlling(({ database }) => subscriptionMetrics(database, hostPorts.now()));
  }

  async hint(): Promise<void> {
    const deliverer = this.#deliverer;
    if (deliverer === undefined) return;
    deliverer.hint();
    if (!deliverer.running) await this.#arm();
  }

  override async alarm(): Promise<void> {
    try {
      await this.#deliverer?.run();
    } catch (error) {
      logFailure('subscription', error);
    } finally {
      await this.#arm();
    }
  }

  get #id(): string {
    return readSettings(this.#database).id;
  }

  #open(): Deliverer {
    this.#deliverer = new Deliverer({
      database: this.#database,
      sources: sourcesOf(this.env, readSettings(this.#database).tenant),
      fetch: (input, init) => fetch(input, init),
      resolve: resolverOf(this.env),
      rules: callbackRules(this.env),
      queues: queuesOf(this.env),
      tracer: tracerOf(this.env),
      ports: hostPorts,
      onError: (error) => logFailure('subscription', error),
    });
    return this.#deliverer;
  }

  async #arm(): Promise<void> {
    const at = this.#deliverer?.nextAt();
    if (at !== undefined) await this.ctx.storage.setAlarm(at);
    else if (this.#deliverer !== undefined) await this.ctx.storage.deleteAlarm();
  }

  #view(): SubscriptionView {
    const trouble = this.#deliverer?.trouble;
    return viewSubscription(this.#database, { now: hostPorts.now(), trouble });
  }

  /** What changes something to do is followed by a run. */
  #changing<T>(run: (controlled: Controlled) => T): Promise<Reply<T>> {
    return this.#controlling(async (controlled, deliverer) => {
      const value = run(controlled);
      deliverer.hint();
      await this.#arm();
      return value;
    });
  }

  #controlling<T>(
    run: (controlled: Controlled, deliverer: Deliverer) => T | Promise<T>,
  ): Promise<Reply<T>> {
    return answer(async () => {
      const deliverer = this.#deliverer;
      if (deliverer === undefined) throw unknownSubscription(this.ctx.id.name ?? '');
      const { scheduler } = deliverer;
      return run({ database: this.#database, scheduler, ports: hostPorts }, deliverer);
    });
  }
}

function unknownSubscription(subscription: string): MillraceError<'subscription.unknown'> {
  const message = 'there is no subscription of this id: it was deleted, or never made';
  return new MillraceError('subscription.unknown', message, { subscription });
}

async function answer<T>(run: () => T | Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await run() };
  } catch (error) {
    if (!isWireError(error)) throw error;
    const { code, message, details } = error;
    return { ok: false, error: new MillraceError(code, message, details).toWire() };
  }
}
