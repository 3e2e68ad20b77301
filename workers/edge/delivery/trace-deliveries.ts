/** For `GET /trace/{id}`: every delivery that carries one of some events, of all of a tenant's subscriptions. */
import type { Env } from '../environment.ts';
import type { CarriedBy } from '../subscription-calls.ts';
import { subscriptionListOf, subscriptionOf } from '../subscription-of.ts';

const TOGETHER = 32;

export async function deliveriesOfEvents(
  env: Env,
  ids: readonly string[],
  tenant: string,
): Promise<readonly CarriedBy[]> {
  const subscriptions = await subscriptionListOf(env, tenant).ids();
  const carried: CarriedBy[] = [];
  for (let i = 0; i < subscriptions.length; i += TOGETHER) {
    const some = subscriptions.slice(i, i + TOGETHER);
    const replies = await Promise.all(
      some.map((id) => subscriptionOf(env, id, tenant).deliveriesOf(ids)),
    );
    for (const reply of replies) if (reply.ok) carried.push(reply.value);
  }
  return carried;
}
