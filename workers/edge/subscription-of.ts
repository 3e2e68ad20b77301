/** Where subscriptions are: the object of each, and of each tenant the one that lists them. */
import { MAIN_TENANT } from './access/api-key.ts';
import type { Env } from './environment.ts';
import type { SubscriptionCalls, SubscriptionListCalls } from './subscription-calls.ts';

// The bindings' own types follow RPC through every field's type; the interfaces say what is promised.

/** Another tenant's id leads to an object that does not exist. */
export function subscriptionOf(env: Env, id: string, tenant: string = MAIN_TENANT): SubscriptionCalls {
  return env.SUBSCRIPTION.getByName(nameIn(tenant, id)) as unknown as SubscriptionCalls;
}

export function subscriptionListOf(env: Env, tenant: string = MAIN_TENANT): SubscriptionListCalls {
  const name = nameIn(tenant, 'subscriptions');
  return env.SUBSCRIPTION_LIST.getByName(name) as unknown as SubscriptionListCalls;
}

/** Whose object it is, by its name. */
export function tenantOfObject({ name }: DurableObjectId): string {
  const slash = name?.indexOf('/') ?? -1;
  return slash < 0 ? MAIN_TENANT : name!.slice(0, slash);
}

function nameIn(tenant: string, name: string): string {
  return tenant === MAIN_TENANT ? name : `${tenant}/${name}`;
}
