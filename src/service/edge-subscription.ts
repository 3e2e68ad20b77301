/** A subscription and its deliveries as the edge shows them, read from its answers. */
import type { Pattern } from '../routing/pattern.ts';
import { fieldsOf, parse, readAll } from './answer.ts';

/** As the edge shows it. */
export interface EdgeSubscription {
  readonly id: string;
  readonly serviceName: string;
  readonly types?: readonly string[];
  readonly pattern?: Pattern;
  readonly callbackUrl: string;
  readonly format: string;
  readonly batch?: number;
  /** `pending`: the endpoint has not consented. `disabled`: it wants no more, or has not consented in three days. */
  readonly state: 'pending' | 'active' | 'paused' | 'disabled';
  /** Why it is in that state. */
  readonly reason?: string;
  /** The last that was given to a delivery. */
  readonly sequence: number;
  readonly waiting: number;
  readonly delivered: number;
  readonly deadLetters: number;
  /** Signs the deliveries. Said once: where the subscription was just made, or the secret rotated. */
  readonly secret?: string;
}

/** One delivery, as the edge shows it. */
export interface EdgeDelivery {
  readonly sequence: number;
  readonly status: 'waiting' | 'delivered' | 'dead' | 'dropped';
  readonly eventIds: readonly string[];
}

export function readSubscription(text: string): EdgeSubscription | undefined {
  return subscriptionOf(parse(text));
}

export function readSubscriptions(text: string): readonly EdgeSubscription[] | undefined {
  return readAll(fieldsOf(parse(text))?.['subscriptions'], subscriptionOf);
}

export function readDeliveries(text: string): readonly EdgeDelivery[] | undefined {
  return readAll(fieldsOf(parse(text))?.['deliveries'], (given) => {
    const { sequence, status, event_ids: eventIds } = fieldsOf(given) ?? {};
    if (typeof sequence !== 'number' || !Array.isArray(eventIds)) return undefined;
    return { sequence, status: status as EdgeDelivery['status'], eventIds: eventIds as string[] };
  });
}

function subscriptionOf(given: unknown): EdgeSubscription | undefined {
  const fields = fieldsOf(given);
  const { id, callback_url: callbackUrl, service_name: serviceName, state, sequence } = fields ?? {};
  if (typeof id !== 'string' || typeof callbackUrl !== 'string' || typeof sequence !== 'number')
    return undefined;
  const { event_types: types, pattern, batch, reason, secret, format } = fields!;
  const { waiting, delivered, dead_letters: deadLetters } = fields!;
  // What the edge leaves out is left out here.
  const optional = Object.fromEntries(
    Object.entries({ types, pattern, batch, reason, secret }).filter(([, value]) => value !== undefined),
  );
  return {
    ...{ id, serviceName, callbackUrl, format, state, sequence, waiting, delivered, deadLetters },
    ...optional,
  } as EdgeSubscription;
}
