/** For `GET /events/{id}/explain`: which subscriptions an event is for or why not, and every attempt to deliver it. */
import type { Env } from '../environment.ts';
import type { DeliveryExplanation } from '../subscription-calls.ts';
import { subscriptionListOf, subscriptionOf } from '../subscription-of.ts';

const TOGETHER = 32;

/** Of the event with this line, for each of the tenant's subscriptions. */
export async function explainDelivery(
  env: Env,
  line: string,
  tenant: string,
): Promise<readonly DeliveryExplanation[]> {
  const ids = await subscriptionListOf(env, tenant).ids();
  const explanations: DeliveryExplanation[] = [];
  for (let i = 0; i < ids.length; i += TOGETHER) {
    const some = ids.slice(i, i + TOGETHER);
    const replies = await Promise.all(some.map((id) => subscriptionOf(env, id, tenant).explain(line)));
    for (const reply of replies) if (reply.ok) explanations.push(reply.value);
  }
  return explanations;
}
