/**
 * Freezes a value and all that it reaches, in development alone: a write to an event then throws where it is made,
 * and production pays nothing. Development is any bundle or process whose `NODE_ENV` is set to other than `production`.
 */
export function deepFreeze<T>(value: T): T {
  return development ? freeze(value) : value;
}

declare const process: { readonly env: { readonly NODE_ENV?: string } } | undefined;

// Spelled as bundlers know it, so that they leave `freeze` out of what is built for production.
const development =
  typeof process === 'object' &&
  process.env.NODE_ENV !== undefined &&
  process.env.NODE_ENV !== 'production';

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const key of Object.keys(value)) freeze((value as Record<string, unknown>)[key]);
  return value;
}
