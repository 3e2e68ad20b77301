/** A value as an error can carry it over any boundary: itself where it is simple, else the start of what it is. */
export function shown(value: unknown): unknown {
  if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) return value;
  if (typeof value === 'string') return cut(JSON.stringify(value));
  if (typeof value !== 'object') return `a ${typeof value}`;
  try {
    return cut(JSON.stringify(value));
  } catch {
    return Array.isArray(value) ? 'an array' : 'an object';
  }
}

function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
