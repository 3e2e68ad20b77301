/** What a router has done, in numbers. */
import { Sampling } from '../bus/sampling.ts';
import type { RoutingRule } from './routing-rule.ts';

/** Whole numbers since the router was made. */
export interface RouterStats {
  /** Events that were dispatched. */
  readonly events: number;
  /** Of these, events that no rule matched. */
  readonly unmatched: number;
  readonly rules: readonly ({ readonly rule: string; readonly target: string } & RuleCounts)[];
  /** Of all rules that were removed. */
  readonly ended: RuleCounts;
}

export interface RuleCounts {
  readonly delivered: number;
  /** Dead letters. */
  readonly failed: number;
}

interface Counts {
  delivered: number;
  failed: number;
}

export class RouteCounts {
  readonly sampling = new Sampling();
  readonly #byRule = new Map<string, { readonly target: string; readonly counts: Counts }>();
  readonly #ended: Counts = { delivered: 0, failed: 0 };
  #events = 0;
  #unmatched = 0;

  add({ id, target }: RoutingRule): void {
    this.#byRule.set(id, { target, counts: { delivered: 0, failed: 0 } });
  }

  remove(id: string): void {
    const removed = this.#byRule.get(id)?.counts;
    if (removed === undefined) return;
    this.#byRule.delete(id);
    this.#ended.delivered += removed.delivered;
    this.#ended.failed += removed.failed;
  }

  dispatched(matched: boolean): void {
    this.#events++;
    if (!matched) this.#unmatched++;
  }

  /** A rule that was removed meanwhile counts with those that have ended. */
  settled({ id }: RoutingRule, ok: boolean): void {
    const counts = this.#byRule.get(id)?.counts ?? this.#ended;
    if (ok) counts.delivered++;
    else counts.failed++;
  }

  stats(): RouterStats {
    const rules = Array.from(this.#byRule, ([rule, { target, counts }]) => ({
      rule,
      target,
      ...counts,
    }));
    return { events: this.#events, unmatched: this.#unmatched, rules, ended: { ...this.#ended } };
  }
}
