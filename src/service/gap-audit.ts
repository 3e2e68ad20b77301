/**
 * Finds what the edge is done with and this service is not, and heals it.
 *
 * Deliveries of other orders come past one that fails, so that a missing sequence is mostly one that is still to come. It
 * is lost where the edge says that it was delivered (this storage was restored to an earlier state since: its events
 * are fetched and handled), or that it gave up (it is asked to deliver it again).
 */
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import type { EventClient } from './client.ts';
import type { Delivery } from './delivery-request.ts';
import type { DeliveryOutcome, DeliveryRun } from './delivery-run.ts';
import type { Inbox, SequenceRange } from './inbox.ts';
import type { Gap, GapOutcome, ServiceCounts } from './service-status.ts';
import type { ServiceSubscriptions } from './service-subscriptions.ts';
import { subscriptionGone, type EdgeDelivery } from './subscriptions.ts';

export interface GapAuditOptions {
  readonly client: EventClient;
  readonly subscriptions: ServiceSubscriptions;
  readonly inbox: Inbox;
  /** Runs what was fetched as if it had been delivered. */
  readonly take: (delivery: Delivery) => Promise<DeliveryOutcome>;
  readonly run: DeliveryRun;
  readonly counts: ServiceCounts;
  readonly onGap: (gap: Gap) => void;
}

/** Gaps that one look asks the edge about, for each subscription. The rest has its turn with the next. */
const MOST_GAPS = 100;
const MOST_SEQUENCES = 1_000;

export class GapAudit {
  readonly #options: GapAuditOptions;

  constructor(options: GapAuditOptions) {
    this.#options = options;
  }

  /** @throws MillraceError as the client and the storage do; `subscription.unknown` */
  async look(signal?: AbortSignal): Promise<void> {
    const { client, subscriptions, inbox } = this.#options;
    for (const { id } of subscriptions.kept) {
      const shown = await client.subscriptions.get(id, { signal });
      if (shown === undefined) throw subscriptionGone(id);
      const gaps = await inbox.missing(id, shown.sequence, MOST_SEQUENCES);
      for (const gap of gaps.slice(0, MOST_GAPS)) await this.#lookAt(id, gap, signal);
    }
  }

  async #lookAt(id: string, { from, to }: SequenceRange, signal?: AbortSignal): Promise<void> {
    const { client, inbox } = this.#options;
    const limit = to - from + 1;
    const known = await client.subscriptions.deliveries(id, { before: to + 1, limit, signal });
    const bySequence = new Map(known.map((delivery) => [delivery.sequence, delivery]));
    const dead: number[] = [];
    for (let sequence = from; sequence <= to; sequence++) {
      const delivery = bySequence.get(sequence);
      if (delivery?.status === 'waiting') continue;
      // It may have come while the edge was asked.
      if (await inbox.hasRun(id, sequence)) continue;
      if (delivery?.status === 'dead') dead.push(sequence);
      else this.#tell(id, sequence, await this.#settle(id, sequence, delivery, signal));
    }
    if (dead.length === 0) return;
    await client.subscriptions.redrive(id, dead, { signal });
    for (const sequence of dead) this.#tell(id, sequence, 'redriven');
  }

  async #settle(
    subscription: string,
    sequence: number,
    delivery: EdgeDelivery | undefined,
    signal: AbortSignal | undefined,
  ): Promise<GapOutcome | undefined> {
    const { client, run, take } = this.#options;
    if (delivery?.status === 'dropped') {
      await run.skip(subscription, sequence);
      return 'dropped';
    }
    const events: Event[] = [];
    for (const eventId of delivery?.eventIds ?? []) {
      const event = await client.getEvent(eventId, { signal });
      if (event !== undefined) events.push(event);
    }
    if (delivery !== undefined && events.length === delivery.eventIds.length) {
      const outcome = await take({ subscription, sequence, events });
      // A handler failed: it is still missing, and tried again with the next look.
      return outcome === 'failed' ? undefined : 'healed';
    }
    const text = `delivery ${sequence} of ${subscription} has run nowhere that is known here, and the edge has forgotten it: replay what may have been in it`;
    const error = new MillraceError('delivery.unknown', text, { sequence, reason: 'forgotten' });
    await run.giveUp({ subscription, sequence }, error, '', 'gap');
    return 'lost';
  }

  #tell(subscription: string, sequence: number, outcome: GapOutcome | undefined): void {
    if (outcome === undefined) return;
    this.#options.counts.gaps[outcome]++;
    this.#options.onGap({ subscription, sequence, outcome });
  }
}
