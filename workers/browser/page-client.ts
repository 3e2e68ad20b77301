/** The client behind `connect`: makes events, batches them, and mirrors the shared log's status. */
import { proxy } from 'comlink';
import type { DataOf, EventSchemas, TypeOf } from '../../src/event/catalogue.ts';
import { createEventFields, type EventFactory, type EventOptions } from '../../src/event/factory.ts';
import { writeLine } from '../../src/event/wire.ts';
import { MillraceError, type WireError } from '../../src/errors.ts';
import { hostPorts, type Undo } from '../../src/ports.ts';
import type { Page, Position, Query } from '../../src/storage/storage.ts';
import type { DeadLetter, DeadLetterOptions } from '../../src/sync/dead-letter.ts';
import type { RedriveOptions } from '../../src/sync/redrive.ts';
import type { WindowRange } from '../../src/windows/windowed-view.ts';
import { CaptureBuffer, failedReceipt, type Receipt } from './capture-buffer.ts';
import type { Client, ClientStatus, ConnectOptions } from './client-contract.ts';
import { shares } from './device-budget.ts';
import { Listeners } from './listeners.ts';
import { pageEvent } from './page-event.ts';
import {
  startingStatus,
  type Appended,
  type Forgotten,
  type LogSettings,
  type LogStatus,
  type Windows,
} from './worker-api.ts';
import { disposed, WorkerLink } from './worker-link.ts';

/** The status changes with every capture; its listeners hear of it this often at most. */
const STATUS_MS = 16;

export class PageClient<Schemas extends EventSchemas> implements Client<Schemas> {
  readonly #fields: EventFactory<Schemas>;
  readonly #link: WorkerLink;
  readonly #buffer: CaptureBuffer;
  readonly #statusListeners = new Listeners<ClientStatus>();
  readonly #windowListeners = new Listeners<Windows>();
  readonly #leaving = new AbortController();
  #log: LogStatus;
  /** Batches of this page that its log has answered. */
  #answered = 0;
  /** Events that this page could not capture or commit. */
  #refused = 0;
  /** Events for which it had no room. */
  #shed = 0;
  #pageError: WireError | undefined;
  #watching = false;
  #announcing = false;
  #disposed: Promise<void> | undefined;

  constructor(options: ConnectOptions<Schemas>, makeWorker: () => Worker) {
    const { source = location.origin, flushMs = 100, maxBatch = 100, catalogue } = options;
    this.#fields = createEventFields({ source, ports: hostPorts, catalogue });
    this.#log = startingStatus();
    this.#link = new WorkerLink(makeWorker(), (status, appends) => this.#heard(status, appends));
    this.#buffer = new CaptureBuffer({
      ports: hostPorts,
      flushMs,
      maxBatch,
      send: (batch, hurry) => this.#link.append(batch, hurry),
      hurry: (number) => this.#link.hurry(number),
      onSettled: (appended) => this.#settled(appended),
      onTrouble: () => this.#changed(),
    });
    options.trace?.(this);
    void this.#open(options);
    // The last moments at which a page that goes away can hand over what it holds.
    this.#on(window, 'pagehide', () => this.#buffer.sendAll());
    this.#on(
      document,
      'visibilitychange',
      () => document.visibilityState === 'hidden' && this.#buffer.sendAll(),
    );
    for (const type of ['online', 'offline'])
      this.#on(window, type, () => this.#link.tell('network', navigator.onLine));
  }

  capture<Type extends TypeOf<Schemas> | (string & {})>(
    type: Type,
    data: DataOf<Schemas, Type>,
    options?: EventOptions,
  ): Receipt {
    try {
      if (this.#disposed !== undefined) throw disposed();
      // What else is wrong with it the worker finds when it decodes the line, and its receipt tells.
      const event = this.#fields(type, data, options);
      const receipt = this.#buffer.add(event.id, writeLine(event), {
        urgent: event.priority === 4,
        brought: options?.id !== undefined,
        share: shares[event.priority - 1]!,
      });
      this.#changed();
      return receipt;
    } catch (cause) {
      const error = cause instanceof MillraceError ? cause : unexpected(cause);
      // No other bound is looked at in the page.
      if (error.code === 'limit.exceeded') this.#shed++;
      else this.#refused++;
      this.#pageError = error.toWire();
      this.#buffer.refused(this.#pageError);
      this.#changed();
      return failedReceipt(options?.id ?? '', error);
    }
  }

  flush(): Promise<void> {
    return this.#buffer.flush();
  }

  status(): ClientStatus {
    const lastError = this.#buffer.trouble ?? this.#pageError ?? this.#log.lastError;
    return {
      ...this.#log,
      captured: this.#log.committed + this.#buffer.held,
      rejected: this.#log.rejected + this.#refused,
      dropped: this.#log.dropped + this.#shed,
      ...(lastError !== undefined && { lastError }),
    };
  }

  onStatus(listener: (status: ClientStatus) => void): Undo {
    return this.#statusListeners.add(listener);
  }

  setOffline(offline: boolean): Promise<void> {
    return this.#link.call('setOffline', offline);
  }

  windows(range: WindowRange = {}): Promise<Windows> {
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

  async query(query: Query = {}): Promise<Page> {
    const { lines, ...page } = await this.#link.call('query', query);
    return { ...page, events: lines.map(([position, line]) => pageEvent(position, line)) };
  }

  deadLetters(options: DeadLetterOptions = {}): Promise<readonly DeadLetter[]> {
    return this.#link.call('deadLetters', options);
  }

  dropDeadLetters(options: RedriveOptions = {}): Promise<number> {
    return this.#link.call('dropDeadLetters', options);
  }

  resendDeadLetters(options: RedriveOptions = {}): Promise<number> {
    return this.#link.call('resendDeadLetters', options);
  }

  grantConsent(): Promise<void> {
    return this.#link.call('decide', 'granted');
  }

  withdrawConsent(): Promise<void> {
    return this.#link.call('decide', 'withdrawn');
  }

  forget(): Promise<Forgotten> {
    this.#buffer.sendAll();
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
    key,
    log = 'millrace',
    sync = true,
    durability,
    keepEvents,
    maxBytes,
    persist,
    consent = 'granted',
    beforeConsent,
    privacySignals,
  }: ConnectOptions<Schemas>): Promise<void> {
    try {
      if (persist) void navigator.storage?.persist?.();
      const { href } = new URL(endpoint, location.href);
      const settings: LogSettings = {
        log,
        // Without a query, a fragment, or a slash at its end.
        endpoint: href.replace(/\/*([?#].*)?$/, ''),
        key,
        sync,
        durability,
        keepEvents,
        maxBytes,
        consent: privacySignals === 'obey' && asksForPrivacy() ? 'required' : consent,
        beforeConsent,
      };
      await this.#link.open(settings);
    } catch (error) {
      const lastError = (error as MillraceError).toWire();
      const state = lastError.code === 'disposed' ? 'stopped' : 'failed';
      this.#hear({ ...this.#log, state, lastError });
    }
  }

  #on(target: EventTarget, type: string, listener: () => void): void {
    target.addEventListener(type, listener, { signal: this.#leaving.signal });
  }

  async #dispose(): Promise<void> {
    this.#leaving.abort();
    this.#buffer.end();
    await this.#link.dispose();
    this.#statusListeners.clear();
    this.#windowListeners.clear();
  }

  /** The answer to a batch tells of the log sooner than its status does. */
  #settled({ positions, failed, head, shed }: Appended): void {
    this.#refused += failed.length - shed;
    this.#pageError = failed[0]?.error;
    if (positions.length > 0) this.#answered++;
    this.#hear(withHead(this.#log, head));
  }

  /** A status that was read before the last batch came down must not take it back. */
  #heard(log: LogStatus, appends: number): void {
    this.#hear(appends < this.#answered ? withHead(log, this.#log.committed) : log);
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

function withHead(log: LogStatus, head: Position): LogStatus {
  const added = Math.max(0, head - log.committed);
  return { ...log, committed: log.committed + added, waiting: log.waiting + added };
}

/** Whatever a caller's data, schema or getter threw, or JSON of them. */
function unexpected(cause: unknown): MillraceError<'event.invalid'> {
  const reason = `is no JSON: ${String(cause)}`;
  const details = { path: '/data', value: undefined, reason };
  return new MillraceError('event.invalid', `data ${reason}`, details, { cause });
}
