/** The edge as the soak asks it: every request has a limit of time, and those that pass it are counted. */
import type { PlainWorkerd } from '../plain-workerd.ts';

export interface Asked {
  readonly status: number;
  readonly text: string;
}

/** Longer than whatever the edge waits for by itself. */
const HUNG_MS = 30_000;

export class SoakedEdge {
  readonly workerd: PlainWorkerd;
  /** Requests that were neither answered nor cut off. */
  hung = 0;

  constructor(workerd: PlainWorkerd) {
    this.workerd = workerd;
  }

  /** @throws where the edge is killed meanwhile, or answers in no time */
  async ask(
    method: string,
    path: string,
    { body, key = 'admin', headers }: AskOptions = {},
  ): Promise<Asked> {
    const { url, keys } = this.workerd;
    try {
      const response = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${keys[key]}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body }),
        signal: AbortSignal.timeout(HUNG_MS),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      if ((error as Error).name === 'TimeoutError') this.hung++;
      throw error;
    }
  }

  /** Until it is answered with success: the edge may be down. */
  async sure<T>(method: string, path: string, options?: AskOptions): Promise<T> {
    for (;;) {
      const { status, text } = await this.ask(method, path, options).catch(() => ({
        status: 0,
        text: '',
      }));
      if (status >= 200 && status < 300) return JSON.parse(text) as T;
      if (status >= 400 && status < 500 && status !== 429)
        throw new Error(`${method} ${path}: ${status} ${text}`);
      await pause(20);
    }
  }
}

export interface AskOptions {
  readonly body?: string;
  /** Default: admin. */
  readonly key?: 'admin' | 'read' | 'publishable';
  readonly headers?: Readonly<Record<string, string>>;
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
