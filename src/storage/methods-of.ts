import type { Storage } from './storage.ts';

/** A storage's methods, to be spread under others that stand in their place: a driver may be a class, and spreads as nothing. */
export function methodsOf(storage: Storage): Storage {
  return {
    commit: (batch) => storage.commit(batch),
    read: (query) => storage.read(query),
    get: (key) => storage.get(key),
    list: (prefix, options) => storage.list(prefix, options),
    producer: (id) => storage.producer(id),
    version: (subject) => storage.version(subject),
    trim: (until) => storage.trim(until),
    compact: () => storage.compact(),
    stats: () => storage.stats(),
    onCommit: (listener) => storage.onCommit(listener),
    close: () => storage.close(),
  };
}
