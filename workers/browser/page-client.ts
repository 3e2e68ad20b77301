/** The client behind `connect`: makes events, batches them, and mirrors the shared log's status. */
import { proxy } from 'comlink';
import type { DataOf, EventSchemas, TypeOf } from '../../src/event/catalogue.ts';
import type { EventOptions } from '../../src/event/factory.ts';
import { MillraceError, type WireError } from '../../src/errors.ts';
import { hostPorts, type Undo } from '../../src/ports.ts';
import type { Page, Query } from '../../src/storage/storage.ts';
import type { DeadLetter, DeadLetterOptions } from '../../src/sync/dead-letter.ts';
import type { RedriveOptions } from '../../src/sync/redrive.ts';
import type { WindowRange } from '../../src/windows/windowed-view.ts';
import { CaptureBuffer, captureLimits, type Receipt } from './capture-buffer.ts';
import type { Client, ClientStatus, ConnectOptions } from './client-contract.ts';
import { Listeners } from './listeners.ts';
import { createLineWriter, type LineWriter } from './page-line.ts';
import { startingStatus, type Forgotten, type LogStatus, type Windows } from './worker-api.ts';
import { disposed, WorkerLink } from './worker-link.ts';

/** The status changes with every capture; its listeners hear of it this often at most. */
const STATUS_MS = 16;

type PageOptions<Schemas extends EventSchemas> = ConnectOptions<Schemas> & {
  readonly worker: () => Worker;
};
/** What concerns the log, and not the page. */
type LogOptions = Omit<
  ConnectOptions,
  'catalogue' | 'source' | 'worker' | 'trace' | 'persist' | 'flushMs' | 'maxBatch'
>;

export class PageClient<Schemas extends EventSchemas> implements Client<Schemas> {
  readonly #write: LineWriter;
  readonly #link: WorkerLink;
  readonly #buffer: CaptureBuffer;
  readonly #statusListeners = new Listeners<ClientStatus>();
  readonly #windowListeners = new Listeners<Windows>();
  readonly #leaving = new AbortController();
  #log = startingStatus();
  /** Events that this page could not capture or commit. */
  #refused = 0;
  /** Events for which it had no room. */
  #shed = 0;
  #pageError: WireError | undefined;
  #watching = false;
  #announcing = false;
  #disposed: Promise<void> | undefined;

  constructor({
    source = location.origin,
    flushMs = 100,
    maxBatch = 100,
    catalogue,
    worker,
    trace,
    persist,
    ...settings
  }: PageOptions<Schemas>) {
    this.#write = createLineWriter({ source, ports: hostPorts, catalogue });
    this.#link = new WorkerLink(worker(), (status) => this.#hear(status));
    this.#buffer = new CaptureBuffer({
      ports: hostPorts,
      flushMs,
      maxBatch,
      limits: captureLimits,
      link: this.#link,
      onSettled: ({ failed, shed }) => {
        this.#refused += failed.length - shed;
        this.#pageError = failed[0]?.error;
        this.#changed();
      },
    });
    trace?.(this);
    if (persist) void navigator.storage?.persist?.();
    void this.#open(settings);
    const { signal } = this.#leaving;
    // The last moments at which a page that goes away can hand over what it holds.
    const send = (): void => this.#buffer.send();
    addEventListener('pagehide', send, { signal });
    document.addEventListener('visibilitychange', send, { signal });
    const tell = (): void => this.#link.tell('network', navigator.onLine);
    addEventListener('online', tell, { signal });
    addEventListener('offline', tell, { signal });
  }

  capture<Type extends TypeOf<Schemas> | (string & {})>(
    type: Type,
    data: DataOf<Schemas, Type>,
    options?: EventOptions,
  ): Receipt {
    try {
      if (this.#disposed !== undefined) throw disposed();
      return this.#buffer.add(this.#write(type, data, options));
    } catch (cause) {
      const error = cause instanceof MillraceError ? cause : unexpected(cause);
      // No other bound is looked at in the page.
      if (error.code === 'limit.exceeded') this.#shed++;
      else this.#refused++;
      this.#pageError = error.toWire();
      return this.#buffer.refuse(options?.id ?? '', error);
    } finally {
      this.#changed();
    }
  }

  flush(): Promise<void> {
    return this.#buffer.flush();
  }

  status(): ClientStatus {
    const { lastError: logError } = this.#log;
    // A log that cannot write is the graver trouble: what it holds up is shed for it.
    const lastError = logError?.code === 'storage.failed' ? logError : (this.#pageError ?? logError);
    return {
      ...this.#log,
      captured: this.#log.committed + this.#buffer.held,
      rejected: this.#log.rejected + this.#refused,
      dropped: this.#log.dropped + this.#shed,
      ...(lastError && { lastError }),
    };
  }

  onStatus(listener: (status: ClientStatus) => void): Undo {
    return this.#statusListeners.add(listener);
  }

  setOffline(offline: boolean): Promise<void> {
    return this.#link.call('setOffline', offline);
  }

  windows(range?: WindowRange): Promise<Windows> {
    return this.#link.call('windows', range);
  }

  onWindows(listener: (revised: Windows) => void): Undo {
    if (!this.#watching) {
      this.#watching = true;
      this.#link.tell(
        'watchWindows',
        proxy((revised: Windows) => this.#windowListeners.notify(revised)),
      );
    }
    return this.#windowListeners.add(listener);
  }

  query(query?: Query): Promise<Page> {
    return this.#link.call('query', query);
  }

  deadLetters(options?: DeadLetterOptions): Promise<readonly DeadLetter[]> {
    return this.#link.call('deadLetters', options);
  }

  dropDeadLetters(options?: RedriveOptions): Promise<number> {
    return this.#link.call('dropDeadLetters', options);
  }

  resendDeadLetters(options?: RedriveOptions): Promise<number> {
    return this.#link.call('resendDeadLetters', options);
  }

  grantConsent(): Promise<void> {
    return this.#link.call('decide', 'granted');
  }

  withdrawConsent(): Promise<void> {
    return this.#link.call('decide', 'withdrawn');
  }

  forget(): Promise<Forgotten> {
    this.#buffer.send();
    return this.#link.call('forget', hostPorts.now());
  }

  dispose(): Promise<void> {
    return (this.#disposed ??= this.#dispose());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  async #open({
    endpoint,
    log = 'millrace',
    sync = true,
    consent = 'granted',
    privacySignals,
    ...settings
  }: LogOptions): Promise<void> {
    try {
      const { href } = new URL(endpoint, location.href);
      await this.#link.open({
        ...settings,
        // Without a query, a fragment, or a slash at its end.
        endpoint: href.replace(/\/*([?#].*)?$/, ''),
        log,
        sync,
        consent: privacySignals === 'obey' && asksForPrivacy() ? 'required' : consent,
      });
    } catch (error) {
      const lastError = (error as MillraceError).toWire();
      const state = lastError.code === 'disposed' ? 'stopped' : 'failed';
      this.#hear({ ...this.#log, state, lastError });
    }
  }

  async #dispose(): Promise<void> {
    this.#leaving.abort();
    this.#buffer.send();
    await this.#link.dispose();
    this.#statusListeners.clear();
    this.#windowListeners.clear();
  }

  #hear(log: LogStatus): void {
    this.#log = log;
    this.#changed();
  }

  #changed(): void {
    if (this.#announcing || this.#statusListeners.size === 0) return;
    this.#announcing = true;
    hostPorts.after(STATUS_MS, () => {
      this.#announcing = false;
      this.#statusListeners.notify(this.status());
    });
  }
}

/** Do Not Track, or Global Privacy Control. */
function asksForPrivacy(): boolean {
  const { doNotTrack, globalPrivacyControl } = navigator as Navigator & {
    readonly globalPrivacyControl?: boolean;
  };
  return doNotTrack === '1' || globalPrivacyControl === true;
}

/** Whatever a caller's data, schema or getter threw, or JSON of them. */
function unexpected(cause: unknown): MillraceError<'event.invalid'> {
  const reason = `is no JSON: ${String(cause)}`;
  const details = { path: '/data', value: undefined, reason };
  return new MillraceError('event.invalid', `data ${reason}`, details, { cause });
}
