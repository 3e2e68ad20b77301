/** What a pattern means, said as plainly as can be: the pattern itself is walked, for every choice of array elements. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { Event } from '../../src/event/event.ts';
import { toWire } from '../../src/event/wire.ts';

type Json = unknown;
type Object_ = Record<string, Json>;

/** A field's leaves, by its keys joined by dots, so that a key with a dot is the nested one. */
type Leaves = ReadonlyMap<string, readonly Json[]>;

/** An event, made ready once for all the patterns that it is held against. */
export interface View {
  readonly whole: Leaves;
  readonly choices: readonly Leaves[];
}

export function view(event: Event): View {
  const wire = JSON.parse(JSON.stringify(toWire(event))) as Json;
  return { whole: leavesOf(wire), choices: choices(wire).map(leavesOf) };
}

export function interpret(pattern: Json, { whole, choices }: View): boolean {
  return choices.some((chosen) => matches(pattern as Object_, '', chosen, whole));
}

function leavesOf(value: Json): Leaves {
  const leaves = new Map<string, Json[]>();
  const walk = (path: string, one: Json): void => {
    if (Array.isArray(one)) for (const element of one) walk(path, element);
    else if (isComposite(one))
      for (const [key, inner] of Object.entries(one)) walk(`${path}.${key}`, inner);
    else leaves.set(path, [...(leaves.get(path) ?? []), one]);
  };
  walk('', value);
  return leaves;
}

/** The event with one element left of every array of objects or arrays, in every way. */
function choices(value: Json): Json[] {
  if (Array.isArray(value)) {
    const leaves = value.filter((one) => !isComposite(one));
    const composites = value.filter(isComposite);
    if (composites.length === 0) return [leaves];
    return composites.flatMap((one) => choices(one).map((chosen) => [...leaves, chosen]));
  }
  if (!isComposite(value)) return [value];
  return Object.entries(value as Object_).reduce<Object_[]>(
    (rows, [key, one]) => rows.flatMap((row) => choices(one).map((chosen) => withKey(row, key, chosen))),
    [Object.create(null) as Object_],
  );
}

function withKey(row: Object_, key: string, value: Json): Object_ {
  return Object.assign(Object.create(null) as Object_, row, { [key]: value });
}

function matches(pattern: Object_, path: string, chosen: Leaves, whole: Leaves): boolean {
  return Object.entries(pattern).every(([key, value]) => {
    if (key === '$or')
      return (value as Object_[]).some((branch) => matches(branch, path, chosen, whole));
    const inner = `${path}.${key}`;
    if (!Array.isArray(value)) return matches(value as Object_, inner, chosen, whole);
    return value.some((matcher: Json) => {
      const operator = isComposite(matcher) ? Object.keys(matcher)[0] : '';
      if (operator === 'exists' && (matcher as Object_)['exists'] === false) return !whole.has(inner);
      const inMs = inner === '.timestamp' && operator === 'numeric';
      return (chosen.get(inner) ?? []).some((leaf) =>
        one(matcher, inMs ? Date.parse(leaf as string) : leaf),
      );
    });
  });
}

function one(matcher: Json, leaf: Json): boolean {
  if (!isComposite(matcher)) return matcher === leaf;
  const [[operator, argument]] = Object.entries(matcher as Object_) as [[string, Json]];
  if (operator === 'exists') return argument === true;
  if (operator === 'numeric') return typeof leaf === 'number' && inRange(argument as Json[], leaf);
  if (operator === 'anything-but') {
    const [[inner, list]] = (
      isComposite(argument) && !Array.isArray(argument)
        ? Object.entries(argument as Object_)
        : [['', argument]]
    ) as [[string, Json]];
    return ![list].flat().some((value) => one(inner === '' ? value : { [inner]: value }, leaf));
  }
  if (typeof leaf !== 'string') return false;
  const folded = isComposite(argument)
    ? fold((argument as Object_)['equals-ignore-case'] as string)
    : undefined;
  const [text, part] = folded === undefined ? [leaf, argument as string] : [fold(leaf), folded];
  if (operator === 'prefix') return text.startsWith(part);
  if (operator === 'suffix') return text.endsWith(part);
  if (operator === 'equals-ignore-case') return fold(leaf) === fold(part);
  if (operator === 'wildcard') return wildcard([...part], [...leaf]);
  if (operator === 'cidr') return inBlock(part, leaf);
  throw new Error(`the oracle knows no ${operator}`);
}

const fold = (text: string): string => text.toLowerCase().toUpperCase();

function inRange(range: Json[], value: number): boolean {
  const [comparison, bound, ...rest] = range as [string, number, ...Json[]];
  const holds = {
    '=': value === bound,
    '<': value < bound,
    '<=': value <= bound,
    '>': value > bound,
    '>=': value >= bound,
  }[comparison];
  return holds === true && (rest.length === 0 || inRange(rest, value));
}

function wildcard([first, ...pattern]: string[], text: string[]): boolean {
  if (first === undefined) return text.length === 0;
  if (first === '*')
    return wildcard(pattern, text) || (text.length > 0 && wildcard(['*', ...pattern], text.slice(1)));
  if (first === '\\') return text[0] === pattern[0] && wildcard(pattern.slice(1), text.slice(1));
  return text[0] === first && wildcard(pattern, text.slice(1));
}

function inBlock(block: string, address: string): boolean {
  const [base, length] = block.split('/') as [string, string];
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
  const plain = mapped.exec(address)?.[1] ?? address;
  if (isIPv4(base) !== isIPv4(plain) || (!isIPv4(plain) && !isIPv6(plain))) return false;
  const family = isIPv4(base) ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(base, Number(length), family);
  return list.check(plain, family);
}

function isComposite(value: Json): value is object {
  return typeof value === 'object' && value !== null;
}
