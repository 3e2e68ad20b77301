/**
 * The core's doors to its host: time, timers and randomness. Nothing else in the core names them, so that a test
 * can hold the clock still, and so that the same core runs in a page, a worker, a Durable Object and Node.
 */

/** Stops what its giver started. Calling it again does nothing. */
export type Undo = () => void;

export interface Ports {
  /** Wall-clock time, in ms since the Unix epoch. */
  now(): number;
  /** Calls back once after `delayMs`, unless undone before. */
  after(delayMs: number, callback: () => void): Undo;
  /** A number in [0, 1), for jitter. Not for secrets. */
  random(): number;
  /** Fills the bytes with cryptographically strong randomness. */
  fillRandom(bytes: Uint8Array<ArrayBuffer>): void;
}

/** The part of the platform's `fetch` that is needed. */
export type Fetch = (
  url: string,
  init: {
    readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly signal: AbortSignal;
    readonly cache: 'no-store';
    /** Whether the request may outlive the page that made it. */
    readonly keepalive: boolean;
  },
) => Promise<{
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  text(): Promise<string>;
  /** For what is read as it comes. A `fetch` that has none is asked again and again instead. */
  readonly body?: ByteStream | null;
}>;

/** The part of a `ReadableStream` that is needed. */
export interface ByteStream {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
}

/** SHA-256. */
export type Digest = (bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>;

/** The host's own clock, timers and randomness. */
export const hostPorts: Ports = {
  now: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
  fillRandom: (bytes) => void crypto.getRandomValues(bytes),
};

/** The host's own WebCrypto; none where the page is no secure context. */
export const hostDigest: Digest | undefined = /* @__PURE__ */ findDigest();

function findDigest(): Digest | undefined {
  const subtle = typeof crypto === 'object' ? crypto.subtle : undefined;
  return subtle && ((bytes) => subtle.digest('SHA-256', bytes));
}

/**
 * The host's own clock for how long things take, in ms: it never goes back. On Cloudflare it stands still while nothing
 * is waited for.
 */
export const hostClock = (): number => performance.now();

/** The host's own network. */
export const hostFetch: Fetch = (url, init) => fetch(url, init);
