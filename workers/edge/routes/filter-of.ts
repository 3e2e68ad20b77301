/** What a reader's query asks for, as a filter. */
import type { Context } from 'hono';
import type { Pattern } from '../../../src/routing/pattern.ts';
import { tenantDirectory } from '../access/directory-of.ts';
import type { EdgeBindings } from '../environment.ts';
import type { EventFilter } from '../event-filter.ts';
import { unwrap } from '../shard-calls.ts';

export interface Choice {
  readonly type?: string | readonly string[] | undefined;
  readonly source?: string | undefined;
  readonly subject?: string | undefined;
  readonly correlation_id?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly pattern?: Pattern | undefined;
  readonly target?: string | undefined;
}

/** A target's rules are those of now: a stream that is open keeps the ones that it was opened with. */
export async function filterOf(context: Context<EdgeBindings>, choice: Choice): Promise<EventFilter> {
  const { type, source, subject, correlation_id: correlationId, from, to, pattern, target } = choice;
  const types = type === undefined ? undefined : [type].flat();
  const filter: EventFilter = { types, source, subject, correlationId, from, to, pattern };
  if (target === undefined) return filter;
  const directory = tenantDirectory(context.env, context.var.access.tenant);
  const rules = unwrap(await directory.listRules());
  return { ...filter, rules: rules.filter((rule) => rule.target === target) };
}
