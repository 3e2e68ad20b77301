/**
 * Array consistency: fields may not match through different elements of one array. So there must be a choice of one
 * element for each array under which every condition still has a leaf.
 *
 * Each element is summed up by the sets of conditions that can hold inside of it together, from the innermost out;
 * sets inside of larger ones are dropped. Linear in the elements for the rules of a few fields that there are.
 */
import type { EventFields } from './event-fields.ts';

/** Conditions as bits: at most 30, so that they stay small integers. */
type Mask = number;

/**
 * Whether the conditions hold together, where each holds alone.
 *
 * @param places For each condition the elements in which it holds, none empty; 0 is outside of all arrays.
 */
export function holdTogether(places: readonly (readonly number[])[], fields: EventFields): boolean {
  const bound = places.filter((elements) => !elements.includes(0));
  if (bound.length < 2) return true;
  const own = new Map<number, Mask>();
  for (const [i, elements] of bound.entries()) {
    for (const element of elements) own.set(element, (own.get(element) ?? 0) | (1 << i));
  }
  const full = (1 << bound.length) - 1;
  return possibleInside(own, fields).some((mask) => mask === full);
}

/** The largest sets of conditions that hold together in the whole event. */
function possibleInside(
  own: ReadonlyMap<number, Mask>,
  { parents, arrays }: EventFields,
): readonly Mask[] {
  /** By element, by array inside of it: the sets of that array's elements. */
  const inside = new Map<number, Map<number, readonly Mask[]>>();
  const possible = (element: number): readonly Mask[] => {
    let masks: readonly Mask[] = [own.get(element) ?? 0];
    for (const choices of inside.get(element)?.values() ?? []) {
      masks = largest(masks.flatMap((mask) => choices.map((choice) => mask | choice)));
    }
    return masks;
  };
  for (let element = parents.length - 1; element > 0; element--) {
    const masks = possible(element);
    if (masks[0] === 0) continue;
    const parent = parents[element]!;
    const siblings = inside.get(parent) ?? new Map<number, readonly Mask[]>();
    inside.set(parent, siblings);
    const array = arrays[element]!;
    siblings.set(array, largest([...(siblings.get(array) ?? []), ...masks]));
  }
  return possible(0);
}

/** Without those that another one contains. */
function largest(masks: readonly Mask[]): readonly Mask[] {
  if (masks.length < 2) return masks;
  const distinct = [...new Set(masks)];
  return distinct.filter((mask) => !distinct.some((other) => other !== mask && (mask & other) === mask));
}
