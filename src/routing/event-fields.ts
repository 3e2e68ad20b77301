/**
 * Takes from an event the leaves of the fields that rules name, and nothing else: a tree of the fields' keys is walked
 * beside the event. Everything is kept in place from event to event, so that reading allocates nothing.
 */
import type { Event } from '../event/event.ts';
import { Field } from './field.ts';
import type { Leaf } from './pattern.ts';

interface Node {
  readonly key: string;
  readonly parent: Node | undefined;
  readonly children: Map<string, Node>;
  field: Field | undefined;
}

export class EventFields {
  /** The fields that the event has leaves for are the first `presentCount`. */
  readonly present: Field[] = [];
  presentCount = 0;
  /** Whether leaves stand in two elements of one array, so that they may not match together. */
  spread = false;
  /**
   * Elements of arrays that hold objects or arrays, numbered from 1; an inner one has the greater number. Each has the
   * element that its array is in (0 for none) and its array's number.
   */
  readonly parents: number[] = [0];
  readonly arrays: number[] = [0];
  readonly #fields = new Map<string, Field>();
  #epoch = 0;
  #arrayCount = 0;
  readonly #root: Node = makeNode('', undefined);
  #attributes: Field[] = [];
  #data: Node | undefined;

  get size(): number {
    return this.#fields.size;
  }

  /** The field of that path: one and the same until it is released. */
  acquire(path: string): Field {
    const known = this.#fields.get(path);
    if (known !== undefined) return known;
    let node = this.#root;
    for (const key of path.split('.')) {
      let child = node.children.get(key);
      if (child === undefined) node.children.set(key, (child = makeNode(key, node)));
      node = child;
    }
    const field = new Field(path);
    node.field = field;
    this.#fields.set(path, field);
    this.#plan();
    return field;
  }

  release(field: Field): void {
    let node: Node | undefined = this.#root;
    for (const key of field.path.split('.')) node = node?.children.get(key);
    if (node !== undefined) node.field = undefined;
    this.#fields.delete(field.path);
    while (node?.parent !== undefined && node.field === undefined && node.children.size === 0) {
      node.parent.children.delete(node.key);
      node = node.parent;
    }
    this.#plan();
  }

  has(field: Field): boolean {
    return field.epoch === this.#epoch;
  }

  read(event: Event): void {
    this.#epoch++;
    this.presentCount = 0;
    this.#arrayCount = 0;
    this.spread = false;
    this.parents.length = 1;
    for (const field of this.#attributes) {
      const leaf = field.read(event);
      if (leaf !== undefined) this.#add(field, leaf, 0);
    }
    if (this.#data !== undefined) this.#walk(this.#data, event.data, 0);
  }

  #plan(): void {
    this.#data = this.#root.children.get('data');
    this.#attributes = [...this.#root.children.values()]
      .filter((node) => node !== this.#data)
      .map((node) => node.field!);
  }

  #walk(node: Node, value: unknown, element: number): void {
    if (typeof value !== 'object' || value === null) {
      if (node.field !== undefined) this.#addLeaf(node.field, value, element);
    } else if (Array.isArray(value)) this.#walkArray(node, value, element);
    else if (node.children.size > 0) {
      for (const key in value) {
        const child = node.children.get(key) ?? dotted(node, key);
        if (child !== undefined) this.#walk(child, (value as Record<string, unknown>)[key], element);
      }
    }
  }

  #walkArray(node: Node, values: readonly unknown[], element: number): void {
    let composites = 0;
    for (const value of values) if (typeof value === 'object' && value !== null) composites++;
    const array = composites > 1 ? ++this.#arrayCount : 0;
    for (const value of values) {
      const own = array > 0 && typeof value === 'object' && value !== null;
      this.#walk(node, value, own ? this.#element(element, array) : element);
    }
  }

  #element(parent: number, array: number): number {
    this.arrays[this.parents.length] = array;
    return this.parents.push(parent) - 1;
  }

  #addLeaf(field: Field, value: unknown, element: number): void {
    const kind = typeof value;
    if (kind === 'string' || kind === 'boolean' || value === null)
      this.#add(field, value as Leaf, element);
    // As JSON writes them.
    else if (kind === 'number')
      this.#add(field, Number.isFinite(value) ? (value as number) : null, element);
  }

  #add(field: Field, leaf: Leaf, element: number): void {
    if (field.epoch !== this.#epoch) {
      field.epoch = this.#epoch;
      field.count = 0;
      this.present[this.presentCount++] = field;
    }
    field.leaves[field.count] = leaf;
    field.elements[field.count++] = element;
    if (element > 0) this.spread = true;
  }
}

/** Where a key with dots leads: through the nodes of its parts. */
function dotted(node: Node, key: string): Node | undefined {
  if (!key.includes('.')) return undefined;
  let found: Node | undefined = node;
  for (const part of key.split('.')) found = found?.children.get(part);
  return found;
}

function makeNode(key: string, parent: Node | undefined): Node {
  return { key, parent, children: new Map(), field: undefined };
}
