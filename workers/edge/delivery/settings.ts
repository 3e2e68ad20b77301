/** What a subscription was made with, and the secrets that sign for it. */
import type { DeliveryFormat } from './body.ts';
import type { Selection } from './selection.ts';
import type { Secret } from './signature.ts';
import { readFact, writeFact, type SqlDatabase } from './tables.ts';

export interface Settings {
  readonly id: string;
  /** Whose logs it reads. */
  readonly tenant: string;
  readonly serviceName: string;
  readonly selection: Selection;
  /** Or a queue: see `queue.ts`. */
  readonly callbackUrl: string;
  /** Who asks the endpoint for its consent: the edge's own host. */
  readonly origin: string;
  readonly format: DeliveryFormat;
  /** The most events in a delivery; where it is left out, each is delivered alone, in no array. */
  readonly batch?: number | undefined;
  /** Attempts under way together; of a queue, as many as a batch of it holds. */
  readonly concurrency: number;
  /** How long one attempt may take. */
  readonly timeoutMs: number;
  /** How long a delivery that fails is tried again. */
  readonly retryForMs: number;
  /** In ms since the Unix epoch. */
  readonly createdAt: number;
}

export const settingsLimits = {
  batch: 100,
  /** An object's own limit of connections. */
  concurrency: 6,
  timeoutMs: 30_000,
  /** Three days. */
  retryForMs: 259_200_000,
} as const;

export const defaultSettings = {
  format: 'json',
  concurrency: settingsLimits.concurrency,
  timeoutMs: 15_000,
  retryForMs: settingsLimits.retryForMs,
} as const;

/** Of a subscription that exists. */
export function readSettings(database: SqlDatabase): Settings {
  return readFact<Settings>(database, 'settings')!;
}

export function writeSettings(database: SqlDatabase, settings: Settings): void {
  writeFact(database, 'settings', settings);
}

export function readSecrets(database: SqlDatabase): readonly Secret[] {
  return readFact(database, 'secrets') ?? [];
}

export function writeSecrets(database: SqlDatabase, secrets: readonly Secret[]): void {
  writeFact(database, 'secrets', secrets);
}
