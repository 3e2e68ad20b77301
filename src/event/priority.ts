/** How urgent an event is: 1 low, 2 normal, 3 high, 4 critical (the specification's EventPriority). */
export type Priority = 1 | 2 | 3 | 4;

export const Priority = { low: 1, normal: 2, high: 3, critical: 4 } as const satisfies Record<
  string,
  Priority
>;

/** Of an event that does not say. */
export const DEFAULT_PRIORITY: Priority = 2;

export function isPriority(value: unknown): value is Priority {
  return value === 1 || value === 2 || value === 3 || value === 4;
}
