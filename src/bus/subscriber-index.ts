/** Finds a type's subscribers in the order of their calls. The list is made once and kept until a subscription changes it. */
import type { Subscriber } from './dispatch.ts';
import { TopicIndex } from './topic-index.ts';
import { isTopicPattern } from './topic-pattern.ts';

/** Types may come from outside without end: past so many, all lists are made anew. */
const MAX_LISTS = 10_000;

/** What a publish of a type needs. */
export interface TypeSubscribers {
  /** Never changed in place: a dispatch may be going through it. */
  readonly subscribers: readonly Subscriber[];
  /**
   * To be raised with each publish: one count stands for all that each of the subscribers has received of the type, and
   * is handed to them when the list changes, or when somebody asks.
   */
  published: number;
}

export interface TypeCount {
  /** `undefined`: of all types that are counted apart no more, for there are too many. */
  readonly type: string | undefined;
  readonly events: number;
}

export class SubscriberIndex {
  readonly #byType = new Map<string, Set<Subscriber>>();
  readonly #byPattern = new TopicIndex<Subscriber>();
  readonly #lists = new Map<string, TypeSubscribers>();
  /** What was published of a type before its list. */
  readonly #before = new Map<string | undefined, number>();

  add(selector: string, subscriber: Subscriber): void {
    if (isTopicPattern(selector)) this.#byPattern.add(selector, subscriber);
    else setOf(this.#byType, selector).add(subscriber);
    this.#changed(selector);
  }

  remove(selector: string, subscriber: Subscriber): void {
    if (isTopicPattern(selector)) this.#byPattern.remove(selector, subscriber);
    else {
      const subscribers = this.#byType.get(selector);
      if (subscribers?.delete(subscriber) && subscribers.size === 0) this.#byType.delete(selector);
    }
    this.#changed(selector);
  }

  get(type: string): TypeSubscribers {
    return this.#lists.get(type) ?? this.#make(type);
  }

  /** Brings the subscribers' own counts up to date, too. */
  counts(): readonly TypeCount[] {
    for (const [type, list] of this.#lists) this.#settle(type, list);
    return Array.from(this.#before, ([type, events]) => ({ type, events }));
  }

  #make(type: string): TypeSubscribers {
    const found: Subscriber[] = [...(this.#byType.get(type) ?? [])];
    if (this.#byPattern.size > 0) this.#byPattern.match(type, found);
    found.sort((a, b) => b.priority - a.priority || a.order - b.order);
    if (this.#lists.size >= MAX_LISTS) this.#forget();
    const list = { subscribers: found, published: 0 };
    this.#lists.set(type, list);
    return list;
  }

  #changed(selector: string): void {
    if (isTopicPattern(selector)) return this.#forget();
    const list = this.#lists.get(selector);
    if (list === undefined) return;
    this.#settle(selector, list);
    this.#lists.delete(selector);
  }

  #settle(type: string, list: TypeSubscribers): void {
    const { subscribers, published } = list;
    if (published === 0) return;
    for (const { counts } of subscribers) counts.received += published;
    list.published = 0;
    const known = this.#before.has(type) || this.#before.size < MAX_LISTS ? type : undefined;
    this.#before.set(known, (this.#before.get(known) ?? 0) + published);
  }

  #forget(): void {
    for (const [type, list] of this.#lists) this.#settle(type, list);
    this.#lists.clear();
  }
}

function setOf(sets: Map<string, Set<Subscriber>>, key: string): Set<Subscriber> {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set);
  return set;
}
