/**
 * Freezes a value and all that it reaches, in development alone: a write to an event then throws where it is made,
 * and production pays nothing. Development is any bundle or process whose `NODE_ENV` is set to other than `production`.
 */
export function deepFreeze<T>(value: T): T {
  return development ? freeze(value) : value;
}

const development = nodeEnv() !== undefined && nodeEnv() !== 'production';

function nodeEnv(): string | undefined {
  const host = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return host.process?.env?.['NODE_ENV'];
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const key of Object.keys(value)) freeze((value as Record<string, unknown>)[key]);
  return value;
}
