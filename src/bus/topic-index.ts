/**
 * Finds the values whose topic pattern matches a topic, however many there are: a trie of the patterns' words, walked
 * by all its live branches at once. The work is words times live branches, never exponential in the number of `#`.
 */
import { parseTopicPattern } from './topic-pattern.ts';

interface Node<T> {
  /** The first child by a word, in place: most nodes have no other, and a map for each would take most of the memory. */
  word: string | undefined;
  child: Node<T> | undefined;
  /** The other children by words; `*` and `#` have places of their own. */
  words: Map<string, Node<T>> | undefined;
  one: Node<T> | undefined;
  many: Node<T> | undefined;
  /** Whether it stands for `#`, and so stays live over any word. */
  readonly stays: boolean;
  /** The step in which it became live: only a `#` can be reached by two ways in one step. */
  live: number;
  /** Most patterns have one value: a set for each would take most of the memory. */
  value: T | undefined;
  values: Set<T> | undefined;
}

export class TopicIndex<T extends object> {
  readonly #root: Node<T> = makeNode(false);
  #size = 0;
  #step = 0;
  #now: Node<T>[] = [];
  #next: Node<T>[] = [];

  /** How many values there are, those of equal patterns counted each. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adding the same value under the same pattern again does nothing.
   *
   * @throws MillraceError `topic.invalid`
   */
  add(pattern: string, value: T): void {
    let node = this.#root;
    for (const word of parseTopicPattern(pattern)) node = childOf(node, word) ?? addChild(node, word);
    if (node.value === value || node.values?.has(value)) return;
    this.#size++;
    if (node.value === undefined) node.value = value;
    else (node.values ??= new Set()).add(value);
  }

  /** Whether it was there. What is left empty is pruned. */
  remove(pattern: string, value: T): boolean {
    const words = parseTopicPattern(pattern);
    const path = [this.#root];
    for (const word of words) {
      const child = childOf(path.at(-1)!, word);
      if (child === undefined) return false;
      path.push(child);
    }
    if (!removeValue(path.at(-1)!, value)) return false;
    this.#size--;
    for (let depth = words.length; depth > 0 && isEmpty(path[depth]!); depth--)
      removeChild(path[depth - 1]!, words[depth - 1]!);
    return true;
  }

  /** Appends the values whose pattern matches, each once for each of its patterns, in no order. Gives back `into`. */
  match(topic: string, into: T[] = []): T[] {
    this.#next.length = 0;
    this.#step++;
    this.#enter(this.#root);
    let end = topic.indexOf('.');
    for (let start = 0; ; end = topic.indexOf('.', start)) {
      this.#advance(end === -1 ? topic.slice(start) : topic.slice(start, end));
      if (end === -1) break;
      start = end + 1;
    }
    for (const node of this.#next) {
      if (node.value !== undefined) into.push(node.value);
      if (node.values !== undefined) for (const value of node.values) into.push(value);
    }
    return into;
  }

  /** How many nodes the trie has, its root included: it shows that what was removed leaves nothing behind. Walks all. */
  countNodes(): number {
    return countNodes(this.#root);
  }

  #advance(word: string): void {
    const now = this.#next;
    this.#next = this.#now;
    this.#now = now;
    this.#next.length = 0;
    this.#step++;
    for (let index = 0; index < now.length; index++) {
      const node = now[index]!;
      if (node.stays) this.#stay(node);
      const child = node.word === word ? node.child : node.words?.get(word);
      if (child !== undefined) this.#enter(child);
      if (node.one !== undefined) this.#enter(node.one);
    }
  }

  /** A `#` may stand for no word, so that what follows it is live at once. Two in a row there are none. */
  #enter(node: Node<T>): void {
    this.#next.push(node);
    if (node.many !== undefined) this.#stay(node.many);
  }

  #stay(node: Node<T>): void {
    if (node.live === this.#step) return;
    node.live = this.#step;
    this.#next.push(node);
  }
}

function makeNode<T>(stays: boolean): Node<T> {
  return {
    word: undefined,
    child: undefined,
    words: undefined,
    one: undefined,
    many: undefined,
    stays,
    live: 0,
    value: undefined,
    values: undefined,
  };
}

function countNodes<T>(node: Node<T>): number {
  let count = 1;
  for (const child of [node.child, node.one, node.many, ...(node.words?.values() ?? [])])
    if (child !== undefined) count += countNodes(child);
  return count;
}

function childOf<T>(node: Node<T>, word: string): Node<T> | undefined {
  if (word === '*') return node.one;
  if (word === '#') return node.many;
  return node.word === word ? node.child : node.words?.get(word);
}

function addChild<T>(node: Node<T>, word: string): Node<T> {
  const child = makeNode<T>(word === '#');
  if (word === '*') node.one = child;
  else if (word === '#') node.many = child;
  else if (node.word === undefined) {
    node.word = word;
    node.child = child;
  } else (node.words ??= new Map()).set(word, child);
  return child;
}

function removeChild<T>(node: Node<T>, word: string): void {
  if (word === '*') node.one = undefined;
  else if (word === '#') node.many = undefined;
  else if (node.word === word) {
    const [another] = node.words ?? [];
    [node.word, node.child] = another ?? [undefined, undefined];
    if (another !== undefined) removeOther(node, another[0]);
  } else removeOther(node, word);
}

function removeOther<T>(node: Node<T>, word: string): void {
  node.words?.delete(word);
  if (node.words?.size === 0) node.words = undefined;
}

function removeValue<T>(node: Node<T>, value: T): boolean {
  if (node.value !== value) return node.values?.delete(value) ?? false;
  const [another] = node.values ?? [];
  node.value = another;
  if (another !== undefined) node.values?.delete(another);
  return true;
}

function isEmpty<T>(node: Node<T>): boolean {
  const { value, word, one, many } = node;
  return value === undefined && word === undefined && one === undefined && many === undefined;
}
