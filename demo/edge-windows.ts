/**
 * The edge's windows, as often as they change: a live stream of the edge says that there is news, and a request fetches
 * it. The stream is a hint that may be lost; a slow poll makes up for it.
 */
import type { Undo } from 'millrace';
import { shownRange } from './minute.ts';
import type { CountWindow } from './window-board.ts';

export interface EdgeWindowsOptions {
  readonly endpoint: string;
  readonly readKey?: string | undefined;
  readonly onWindows: (results: readonly CountWindow[]) => void;
  /** Whether the edge answered the last time it was asked. */
  readonly onReach: (reached: boolean) => void;
}

/** The shortest time between two requests, however many hints come. */
const PACE_MS = 400;
/** How long to rely on hints alone. */
const POLL_MS = 10_000;
const TIMEOUT_MS = 8_000;
const REOPEN_MS = 3_000;

export function watchEdgeWindows({ endpoint, readKey, onWindows, onReach }: EdgeWindowsOptions): Undo {
  const headers: Record<string, string> =
    readKey === undefined ? {} : { authorization: `Bearer ${readKey}` };
  const ending = new AbortController();
  const { signal } = ending;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let dueAt = Infinity;
  let asking = false;
  let askedAt = -Infinity;

  /** Asks no later than in `delayMs`, and no sooner than the pace allows. */
  function ask(delayMs: number): void {
    if (signal.aborted || asking) return;
    const now = performance.now();
    const at = Math.max(now + delayMs, askedAt + PACE_MS);
    if (at >= dueAt) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(() => void refresh(), at - now);
  }

  let hinted = false;
  async function refresh(): Promise<void> {
    dueAt = Infinity;
    askedAt = performance.now();
    asking = true;
    hinted = false;
    try {
      const results = await fetchWindows(endpoint, { headers, stop: signal });
      onWindows(results);
      onReach(true);
    } catch {
      if (!signal.aborted) onReach(false);
    } finally {
      asking = false;
      ask(hinted ? 0 : POLL_MS);
    }
  }

  function hint(): void {
    hinted = true;
    ask(0);
  }

  const closeHints = openHints(() => liveUrl(endpoint, headers), hint);
  addEventListener('online', hint, { signal });
  ask(0);
  return () => {
    ending.abort();
    clearTimeout(timer);
    closeHints();
  };
}

interface Asking {
  readonly headers: Record<string, string>;
  readonly stop: AbortSignal;
}

async function fetchWindows(endpoint: string, { headers, stop }: Asking): Promise<CountWindow[]> {
  const range = shownRange(Date.now());
  const url = new URL('windows/events-per-minute', `${endpoint}/`);
  url.searchParams.set('from', new Date(range.from).toISOString());
  url.searchParams.set('to', new Date(range.to).toISOString());
  const signal = AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]);
  const answer = await fetch(url, { headers, signal });
  if (!answer.ok) throw new Error(`the edge answered ${answer.status}`);
  const results = (await answer.json()) as readonly WireWindow[];
  return results.map(({ window, key, value, revision }) => ({
    window: { start: Date.parse(window.start), end: Date.parse(window.end) },
    key,
    value,
    revision,
  }));
}

type WireWindow = Omit<CountWindow, 'window'> & {
  readonly window: { readonly start: string; readonly end: string };
};

/** An EventSource sends no header, and a key has no business in an address: a token for some minutes stands there. */
async function liveUrl(endpoint: string, headers: Record<string, string>): Promise<URL> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const tokens = new URL('live-tokens', `${endpoint}/`);
  const answer = await fetch(tokens, { method: 'POST', headers, signal });
  if (!answer.ok) throw new Error(`the edge answered ${answer.status}`);
  const { token } = (await answer.json()) as { readonly token: string };
  const url = new URL('events/live', `${endpoint}/`);
  url.searchParams.set('token', token);
  return url;
}

/** Listens while the page is looked at: a browser has six connections to an origin, and tabs share them. */
function openHints(findUrl: () => Promise<URL>, onHint: () => void): Undo {
  let source: EventSource | undefined;
  /** Rises with each opening and closing: what was begun before is given up. */
  let turn = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function open(): void {
    close();
    if (document.visibilityState !== 'hidden') void connect(turn);
  }

  async function connect(mine: number): Promise<void> {
    try {
      const url = await findUrl();
      if (mine === turn) listen(new EventSource(url));
    } catch {
      if (mine === turn) timer = setTimeout(open, REOPEN_MS);
    }
  }

  function listen(opened: EventSource): void {
    source = opened;
    opened.addEventListener('open', onHint);
    opened.addEventListener('event', onHint);
    opened.addEventListener('error', () => {
      // It connects again by itself, unless the edge answered something that is no stream.
      if (opened.readyState === EventSource.CLOSED && opened === source)
        timer = setTimeout(open, REOPEN_MS);
    });
  }

  function close(): void {
    turn++;
    clearTimeout(timer);
    source?.close();
    source = undefined;
  }

  document.addEventListener('visibilitychange', open);
  open();
  return () => {
    document.removeEventListener('visibilitychange', open);
    close();
  };
}
