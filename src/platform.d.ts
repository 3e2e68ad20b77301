// The few names of the web platform that browsers, workerd and Node share, for the core
// is checked without any one platform's library. Only what is the same everywhere and
// pure, or a mere carrier, belongs here: time, timers, randomness, the network and storage
// come in through ports.ts, and the linter refuses them elsewhere.

interface AbortSignal extends EventTarget {
  readonly aborted: boolean;
  readonly reason: unknown;
  throwIfAborted(): void;
}
declare var AbortSignal: {
  readonly prototype: AbortSignal;
  abort(reason?: unknown): AbortSignal;
  any(signals: Iterable<AbortSignal>): AbortSignal;
  timeout(milliseconds: number): AbortSignal;
};

interface AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare var AbortController: { readonly prototype: AbortController; new (): AbortController };

interface EventTarget {
  addEventListener(type: string, listener: () => void, options?: EventListenerOptions): void;
  removeEventListener(type: string, listener: () => void): void;
}
interface EventListenerOptions {
  once?: boolean;
  signal?: AbortSignal;
}

interface TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(source: string, destination: Uint8Array): { read: number; written: number };
}
declare var TextEncoder: { readonly prototype: TextEncoder; new (): TextEncoder };

interface TextDecoder {
  decode(input?: ArrayBufferLike | ArrayBufferView, options?: { stream?: boolean }): string;
}
declare var TextDecoder: {
  readonly prototype: TextDecoder;
  new (label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean }): TextDecoder;
};

interface URL {
  readonly href: string;
  readonly origin: string;
  readonly host: string;
  readonly pathname: string;
  readonly searchParams: URLSearchParams;
}
declare var URL: {
  readonly prototype: URL;
  new (url: string | URL, base?: string | URL): URL;
  canParse(url: string | URL, base?: string | URL): boolean;
};

interface URLSearchParams {
  get(name: string): string | null;
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  has(name: string): boolean;
  toString(): string;
}
declare var URLSearchParams: {
  readonly prototype: URLSearchParams;
  new (init?: string | Record<string, string>): URLSearchParams;
};

interface Headers {
  get(name: string): string | null;
}

interface ReadableStream {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    cancel(): Promise<void>;
  };
}

interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: ReadableStream | null;
}

interface Response {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ReadableStream | null;
  text(): Promise<string>;
}
declare var Response: {
  readonly prototype: Response;
  new (
    body?: string | null,
    init?: { readonly status?: number; readonly headers?: Record<string, string> },
  ): Response;
};

interface Console {
  error(...data: unknown[]): void;
  warn(...data: unknown[]): void;
}
declare var console: Console;

declare function structuredClone<T>(value: T): T;
declare function queueMicrotask(callback: () => void): void;

// For ports.ts alone.
declare function setTimeout(callback: () => void, delayMs?: number): unknown;
declare function clearTimeout(timer: unknown): void;
declare var crypto: {
  getRandomValues<T extends Uint8Array>(array: T): T;
  randomUUID(): string;
  readonly subtle?: {
    digest(algorithm: 'SHA-256', bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer>;
  };
};
declare function fetch(
  url: string,
  init: {
    method: string;
    headers: Record<string, string>;
    body?: string;
    signal: AbortSignal;
    cache: 'no-store';
  },
): Promise<Response>;
declare var performance: { now(): number };
