/**
 * Routes events to targets by rules. The rules are indexed, so that what an event costs depends on the rules that it
 * nearly matches, not on all of them.
 *
 * @example
 * const router = new EventRouter({ targets: { billing: (event) => bill(event) } });
 * router.addRule({ id: 'orders', condition: { type: ['order.placed'] }, target: 'billing', timeoutMs: 5000 });
 * await router.dispatch(event);
 */
import { ProbeSlot, type CallProbe } from '../bus/call-probe.ts';
import type { CallObserver } from '../bus/sampling.ts';
import { MillraceError } from '../errors.ts';
import type { Event } from '../event/event.ts';
import { hostPorts, type Ports, type Undo } from '../ports.ts';
import { deadLetter, madeEventOf, type DeadLetter } from '../storage/dead-letters/dead-letter.ts';
import {
  HostDeadLetters,
  type DeadLetters,
  type DeadLetterStore,
  type Retried,
} from '../storage/dead-letters/dead-letters.ts';
import { letterId } from '../storage/dead-letters/letter-id.ts';
import { MemoryDeadLetters } from '../storage/dead-letters/memory-dead-letters.ts';
import type { MaybePromise } from '../storage/storage.ts';
import { deliver, failed, type RouteDelivery } from './delivery.ts';
import { explainRule, type Explanation } from './explain.ts';
import { HopCounter } from './hop-counter.ts';
import { RouteCounts, type RouterStats } from './route-counts.ts';
import { checkName, nameTaken, nameUnknown, routingInvalid } from './invalid.ts';
import { RuleSet } from './rule-set.ts';
import { checkRule, type RoutingRule } from './routing-rule.ts';
import {
  targetFunction,
  TOPIC_PREFIX,
  type Target,
  type TargetFunction,
  type TopicPublisher,
} from './target.ts';

export interface EventRouterOptions {
  /** By name. More may be added later, by `addTarget`. */
  readonly targets?: Readonly<Record<string, Target>> | undefined;
  /** Where targets such as `topic:orders` publish. Default: such targets are unknown. */
  readonly topics?: TopicPublisher | undefined;
  /** Where events are kept that a target has not taken. Default: in memory, the last 1,000. */
  readonly deadLetters?: DeadLetterStore | undefined;
  /** Beyond so many dispatches that led to one another an event goes to no target. Default: 16. */
  readonly maxHops?: number | undefined;
  readonly ports?: Pick<Ports, 'now' | 'after'> | undefined;
  /** Told of rules that are slower than others. Default: `console.warn`. */
  readonly onWarning?: ((warning: RoutingWarning) => void) | undefined;
  /** Told of a rule's function that threw (the rule does not match then), and of dead letters that could not be kept. Default: `console.error`. */
  readonly onError?: ((error: unknown, rule: RoutingRule | undefined) => void) | undefined;
}

export interface RoutingWarning {
  readonly rule: RoutingRule;
  /** `scanned`: nothing in the rule can be looked up, so that it is tried at every event. */
  readonly reason: 'scanned';
  readonly message: string;
}

export interface DispatchOptions {
  /** The dispatches that led to this one, where the caller knows: from another process, or 0 to try again. */
  readonly hops?: number | undefined;
}

/** In the order of the rules' priorities; one for each target. */
export type DispatchReport = readonly RouteDelivery[];

/** Rules as JSON. */
export interface SavedRules {
  readonly rules: readonly RoutingRule[];
}

export class EventRouter {
  /**
   * What targets have not taken, by rule. The reason is what the target threw; `timeout`, `routing.unknown` for no such
   * target, `limit.exceeded` for a loop. Driven again, an event goes by its rule, as that is now.
   */
  readonly deadLetters: DeadLetters;
  readonly #letters: DeadLetterStore;
  readonly #rules: RuleSet;
  readonly #targets = new Map<string, TargetFunction>();
  readonly #options: EventRouterOptions;
  readonly #ports: Pick<Ports, 'now' | 'after'>;
  readonly #hops = new HopCounter();
  readonly #counts = new RouteCounts();
  readonly #probes = new ProbeSlot();
  readonly #maxHops: number;

  /** @throws MillraceError `routing.invalid` for a target that is none, or a bound that is no whole number. */
  constructor(options: EventRouterOptions = {}) {
    this.#options = options;
    this.#ports = options.ports ?? hostPorts;
    this.#maxHops = wholeNumber('/maxHops', options.maxHops ?? 16);
    this.#letters = options.deadLetters ?? new MemoryDeadLetters();
    this.deadLetters = new HostDeadLetters(this.#letters, {
      now: () => this.#ports.now(),
      retry: (letter) => this.#redeliver(letter),
    });
    this.#rules = new RuleSet((error, rule) => this.#report(error, rule));
    for (const [name, target] of Object.entries(options.targets ?? {})) this.addTarget(name, target);
  }

  /**
   * A router with these rules, as `toJSON` gave them.
   *
   * @throws MillraceError as `addRules` does; there is no router with some of the rules.
   */
  static fromJSON(saved: unknown, options: EventRouterOptions = {}): EventRouter {
    const rules = (saved as Partial<SavedRules> | null | undefined)?.rules;
    if (!Array.isArray(rules)) throw routingInvalid('/rules', rules, 'must be a list of rules');
    const router = new EventRouter(options);
    router.addRules(rules);
    return router;
  }

  /** From the first that was added on. */
  get rules(): readonly RoutingRule[] {
    return this.#rules.all();
  }

  /** @throws MillraceError `routing.invalid`, `pattern.invalid`; `routing.conflict` for an id that is taken */
  addRule(rule: RoutingRule): void {
    const checked = checkRule(rule);
    const scanned = this.#rules.add(checked);
    this.#counts.add(checked);
    if (scanned) this.#warn(checked);
  }

  /** All of them, or none. @throws MillraceError as `addRule` does, for the first that is refused. */
  addRules(rules: Iterable<RoutingRule>): void {
    const added: string[] = [];
    try {
      for (const rule of rules) {
        this.addRule(rule);
        added.push(rule.id);
      }
    } catch (error) {
      for (const id of added) this.removeRule(id);
      throw error;
    }
  }

  /** Whether there was one. */
  removeRule(id: string): boolean {
    this.#counts.remove(id);
    return this.#rules.remove(id);
  }

  /** @throws MillraceError `routing.invalid` for what is no target, `routing.conflict` for a name that is taken */
  addTarget(name: string, target: Target): void {
    checkName('/target', name);
    if (this.#targets.has(name)) throw nameTaken('a target', name);
    const run = targetFunction(target);
    if (run === undefined)
      throw routingInvalid('/target', target, 'must be a function, or have the method handle or write');
    this.#targets.set(name, run);
  }

  /** Whether there was one. Its rules stay: what they match makes dead letters until it is there again. */
  removeTarget(name: string): boolean {
    return this.#targets.delete(name);
  }

  /** The rules that match, highest priority first. */
  match(event: Event): readonly RoutingRule[] {
    return this.#rules.match(event);
  }

  /** The targets of the rules that match, highest priority first, each once. */
  routeEvent(event: Event): readonly string[] {
    const rules = this.#rules.match(event);
    return rules.length < 2
      ? rules.map((rule) => rule.target)
      : [...new Set(rules.map((rule) => rule.target))];
  }

  /** The rules that an event of that type may match, as far as its type tells, highest priority first. */
  getRoutesForEventType(type: string): readonly RoutingRule[] {
    return this.#rules.forType(type);
  }

  /** Of each rule, in the order of priority, whether it matches, and else the first condition that failed. */
  explain(event: Event): readonly Explanation[] {
    return this.#rules.ranked().map((rule) => explainRule(rule, event));
  }

  /**
   * Gives the event to its targets, each once, by the rule of the highest priority that names it. All are started in
   * that order, and none waits for another. What fails, or takes longer than its rule allows, becomes a dead letter.
   *
   * The report is there at once where all targets answer at once. Never throws nor rejects for a target's sake.
   *
   * Loops are cut by counting hops: an event has one more than the event that caused it (`causationId`), or than its own
   * dispatch before. Past `maxHops` it goes nowhere but to the dead letters.
   */
  dispatch(event: Event, options: DispatchOptions = {}): MaybePromise<DispatchReport> {
    const rules = firstOfTarget(this.#rules.match(event));
    this.#counts.dispatched(rules.length > 0);
    if (rules.length === 0) return [];
    const hops = this.#hops.count(event, options.hops);
    const deliveries = rules.map((rule) => this.#settle(event, rule, this.#deliver(event, rule, hops)));
    return deliveries.some((one) => one instanceof Promise)
      ? Promise.all(deliveries)
      : (deliveries as readonly RouteDelivery[]);
  }

  stats(): RouterStats {
    return this.#counts.stats();
  }

  /** Has a delivery timed now and then, by its rule's id. One observer at a time: another takes its place. */
  observe(observer: CallObserver): Undo {
    return this.#counts.sampling.observe(observer);
  }

  /** Looks at every call of a target, by its rule's id. One probe at a time: another takes its place. */
  probe(probe: CallProbe): Undo {
    return this.#probes.set(probe);
  }

  /** @throws MillraceError `routing.invalid` where a rule's condition is a function, which is no JSON. */
  toJSON(): SavedRules {
    const rules = this.#rules.all();
    for (const [i, { id, condition }] of rules.entries()) {
      if (typeof condition === 'function') {
        const reason = `of rule ${JSON.stringify(id)} is a function, and cannot be saved: say it as a pattern`;
        throw routingInvalid(`/rules/${i}/condition`, condition, reason);
      }
    }
    return { rules };
  }

  #deliver(event: Event, rule: RoutingRule, hops: number): MaybePromise<RouteDelivery> {
    if (hops > this.#maxHops) return failed(rule, loopError(event, this.#maxHops, hops));
    const found = this.#target(rule.target);
    if (found === undefined) return failed(rule, nameUnknown('target', rule.target));
    const target = this.#probes.probe?.(rule.id, found) ?? found;
    const call = (): MaybePromise<RouteDelivery> =>
      deliver(target, event, rule, { ports: this.#ports, hops });
    return this.#counts.sampling.due() ? this.#counts.sampling.time(rule.id, call) : call();
  }

  #target(name: string): TargetFunction | undefined {
    const { topics } = this.#options;
    const named = this.#targets.get(name);
    if (named !== undefined || topics === undefined || !name.startsWith(TOPIC_PREFIX)) return named;
    return (event) => topics.publish(name.slice(TOPIC_PREFIX.length), event);
  }

  /** The delivery; where it failed, its dead letter is added first. */
  #settle(
    event: Event,
    rule: RoutingRule,
    delivery: MaybePromise<RouteDelivery>,
  ): MaybePromise<RouteDelivery> {
    if (delivery instanceof Promise) return delivery.then((one) => this.#settle(event, rule, one));
    this.#counts.settled(rule, delivery.ok);
    if (delivery.ok) return delivery;
    const { error } = delivery;
    const where = { part: 'router', name: rule.id, detail: rule.target } as const;
    const id = letterId(event.id, rule.id);
    const letter = deadLetter({ id, where, event, error, attempts: 1, at: this.#ports.now() });
    try {
      const kept = this.#letters.add(letter);
      if (kept instanceof Promise) kept.catch((thrown: unknown) => this.#report(thrown, rule));
    } catch (thrown) {
      this.#report(thrown, rule);
    }
    return delivery;
  }

  /** No hop, for it begins anew. */
  async #redeliver(letter: DeadLetter): Promise<Retried> {
    const { name } = letter.where;
    const rule = this.#rules.get(name);
    if (rule === undefined) throw nameUnknown('rule', name);
    const event = madeEventOf(letter);
    this.#hops.count(event, 0);
    const { ok } = await this.#settle(event, rule, this.#deliver(event, rule, 0));
    return ok ? 'taken' : 'kept';
  }

  #warn(rule: RoutingRule): void {
    const message = `rule ${JSON.stringify(rule.id)} has nothing to be looked up by, and is tried at every event: ask for an exact value, a prefix, a suffix, a range or a block as well`;
    const { onWarning } = this.#options;
    try {
      if (onWarning === undefined) console.warn(message);
      else onWarning({ rule, reason: 'scanned', message });
    } catch (thrown) {
      this.#report(thrown, rule);
    }
  }

  #report(error: unknown, rule: RoutingRule | undefined): void {
    const { onError } = this.#options;
    if (onError === undefined) console.error(`rule ${JSON.stringify(rule?.id)} threw`, error);
    else onError(error, rule);
  }
}

function firstOfTarget(rules: readonly RoutingRule[]): readonly RoutingRule[] {
  if (rules.length < 2) return rules;
  const targets = new Set<string>();
  return rules.filter(({ target }) => targets.size < targets.add(target).size);
}

function loopError(event: Event, maximum: number, actual: number): MillraceError<'limit.exceeded'> {
  return new MillraceError(
    'limit.exceeded',
    `event ${event.id} comes of ${actual} dispatches in a row, the limit is ${maximum}: its rules make a loop`,
    { limit: 'routing.hops', maximum, actual },
  );
}

function wholeNumber(path: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw routingInvalid(path, value, 'must be a whole number from 0');
}
