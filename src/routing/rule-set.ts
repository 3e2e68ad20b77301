/** The rules of a router: by id, by rank, and by the events that they match. */
import type { Event } from '../event/event.ts';
import { nameTaken } from './invalid.ts';
import { RuleIndex, type RuleNumber } from './rule-index.ts';
import { alternativesOf, compareRanks, type RankedRule, type RoutingRule } from './routing-rule.ts';
import { testTerm } from './term.ts';

interface IndexedRule extends RankedRule {
  readonly number: RuleNumber;
}

export class RuleSet {
  readonly #byId = new Map<string, IndexedRule>();
  readonly #byNumber: (IndexedRule | undefined)[] = [];
  readonly #index = new RuleIndex();
  readonly #onError: (error: unknown, rule: RoutingRule) => void;
  #added = 0;

  constructor(onError: (error: unknown, rule: RoutingRule) => void) {
    this.#onError = onError;
  }

  all(): readonly RoutingRule[] {
    return [...this.#byId.values()].map(({ rule }) => rule);
  }

  get(id: string): RoutingRule | undefined {
    return this.#byId.get(id)?.rule;
  }

  ranked(): readonly RoutingRule[] {
    return this.#inOrder([...this.#byId.values()]);
  }

  /** Whether the rule can only be scanned, though it does not want every event. */
  add(rule: RoutingRule): boolean {
    if (this.#byId.has(rule.id)) throw nameTaken('a rule', rule.id);
    const alternatives = alternativesOf(rule);
    const { number, scanned } = this.#index.add(alternatives);
    const indexed = { rule, order: this.#added++, number };
    this.#byId.set(rule.id, indexed);
    this.#byNumber[number] = indexed;
    return scanned && (typeof rule.condition === 'function' || alternatives[0]!.length > 0);
  }

  remove(id: string): boolean {
    const indexed = this.#byId.get(id);
    if (indexed === undefined) return false;
    this.#index.remove(indexed.number);
    this.#byNumber[indexed.number] = undefined;
    return this.#byId.delete(id);
  }

  /** The index is done before any rule's function is asked, for that may come back here. */
  match(event: Event): readonly RoutingRule[] {
    const numbers: RuleNumber[] = [];
    this.#index.match(event, numbers);
    if (numbers.length === 0) return NONE;
    const rules = this.#inOrder(numbers.map((number) => this.#byNumber[number]!));
    return rules.some(hasFunction) ? rules.filter((rule) => this.#passes(rule, event)) : rules;
  }

  forType(type: string): readonly RoutingRule[] {
    return this.ranked().filter((rule) =>
      alternativesOf(rule).some((alternative) =>
        alternative.every(
          ({ path, terms }) => path !== 'type' || terms.some((term) => testTerm(term, type)),
        ),
      ),
    );
  }

  #inOrder(rules: IndexedRule[]): readonly RoutingRule[] {
    if (rules.length > 1) rules.sort(compareRanks);
    return rules.map(({ rule }) => rule);
  }

  #passes(rule: RoutingRule, event: Event): boolean {
    if (typeof rule.condition !== 'function') return true;
    try {
      return rule.condition(event);
    } catch (error) {
      this.#onError(error, rule);
      return false;
    }
  }
}

const NONE: readonly RoutingRule[] = [];

function hasFunction(rule: RoutingRule): boolean {
  return typeof rule.condition === 'function';
}
