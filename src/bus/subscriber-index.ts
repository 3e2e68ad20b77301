/** Finds a type's subscribers in the order of their calls. The list is made once and kept until a subscription changes it. */
import type { Subscriber } from './dispatch.ts';
import { TopicIndex } from './topic-index.ts';
import { isTopicPattern } from './topic-pattern.ts';

/** Types may come from outside without end: past so many, all lists are made anew. */
const MAX_LISTS = 10_000;

export class SubscriberIndex {
  readonly #byType = new Map<string, Set<Subscriber>>();
  readonly #byPattern = new TopicIndex<Subscriber>();
  /** Never changed in place: a dispatch may be going through one. */
  readonly #lists = new Map<string, readonly Subscriber[]>();

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

  get(type: string): readonly Subscriber[] {
    return this.#lists.get(type) ?? this.#make(type);
  }

  #make(type: string): readonly Subscriber[] {
    const found: Subscriber[] = [...(this.#byType.get(type) ?? [])];
    if (this.#byPattern.size > 0) this.#byPattern.match(type, found);
    found.sort((a, b) => b.priority - a.priority || a.order - b.order);
    if (this.#lists.size >= MAX_LISTS) this.#lists.clear();
    this.#lists.set(type, found);
    return found;
  }

  #changed(selector: string): void {
    if (isTopicPattern(selector)) this.#lists.clear();
    else this.#lists.delete(selector);
  }
}

function setOf(sets: Map<string, Set<Subscriber>>, key: string): Set<Subscriber> {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set);
  return set;
}
