/**
 * The list of a tenant's subscriptions: one Durable Object, off the way of what is written. It knows their ids and nothing else;
 * what a subscription is stands in its own object.
 */
import { DurableObject } from 'cloudflare:workers';
import { MillraceError } from '../../src/errors.ts';
import type { Env } from './environment.ts';
import type { Reply } from './shard-calls.ts';
import type { SubscriptionListCalls } from './subscription-calls.ts';
import { subscriptionOf, tenantOfObject } from './subscription-of.ts';

/** Subscriptions of one tenant. Each reads the log for itself. */
const MAX_SUBSCRIPTIONS = 1_000;
/** Objects that are hinted at together. */
const HINTS_TOGETHER = 32;

export class SubscriptionList extends DurableObject<Env> implements SubscriptionListCalls {
  readonly #sql: SqlStorage;
  #hinting: Promise<void> | undefined;

  constructor(context: DurableObjectState, env: Env) {
    super(context, env);
    this.#sql = context.storage.sql;
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS subscription (place INTEGER PRIMARY KEY, id TEXT UNIQUE)`,
    );
  }

  async add(id: string): Promise<Reply<null>> {
    const { count } = this.#sql
      .exec<{ count: number }>(`SELECT COUNT(*) AS count FROM subscription`)
      .one();
    if (count < MAX_SUBSCRIPTIONS) {
      this.#sql.exec(`INSERT OR IGNORE INTO subscription (id) VALUES (?)`, id);
      return { ok: true, value: null };
    }
    const message = `there are ${MAX_SUBSCRIPTIONS} subscriptions already: delete those that nobody needs`;
    const details = { limit: 'subscriptions', maximum: MAX_SUBSCRIPTIONS, actual: count + 1 };
    return { ok: false, error: new MillraceError('limit.exceeded', message, details).toWire() };
  }

  async remove(id: string): Promise<void> {
    this.#sql.exec(`DELETE FROM subscription WHERE id = ?`, id);
  }

  async ids(): Promise<readonly string[]> {
    return this.#ids();
  }

  async hint(): Promise<void> {
    // What is on its way serves as this one too: a subscription reads whatever there is when the hint comes.
    await this.#hinting;
    this.#hinting ??= this.#hintAll().finally(() => (this.#hinting = undefined));
    await this.#hinting;
  }

  async #hintAll(): Promise<void> {
    const ids = this.#ids();
    const tenant = tenantOfObject(this.ctx.id);
    for (let i = 0; i < ids.length; i += HINTS_TOGETHER) {
      const some = ids.slice(i, i + HINTS_TOGETHER);
      await Promise.allSettled(some.map((id) => subscriptionOf(this.env, id, tenant).hint()));
    }
  }

  #ids(): string[] {
    const rows = this.#sql.exec<{ id: string }>(`SELECT id FROM subscription ORDER BY place`);
    return rows.toArray().map(({ id }) => id);
  }
}
