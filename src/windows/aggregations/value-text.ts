/** Values as texts, by which they are told apart. */

/**
 * The value's JSON, with the keys of objects in order: two values are equal if and only if their texts are. -0 is 0. What
 * JSON leaves out is left out.
 */
export function valueText(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  // Written as JSON writes it, at a tenth of the price.
  if (typeof value === 'number' && Number.isFinite(value)) return String(value + 0);
  return JSON.stringify(value, inOrder) ?? 'null';
}

function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries);
}
