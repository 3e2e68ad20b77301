/** The client behind `connect`: makes events, batches them, and mirrors the shared log's status. */
import { proxy } from 'comlink';
import type { DataOf, EventSchemas, TypeOf } from '../../src/event/catalogue.ts';
import { createEventFactory, type EventFactory, type EventOptions } from '../../src/event/factory.ts';
import { encodeLine } from '../../src/event/wire.ts';
import { MillraceError, type WireError } from '../../src/errors.ts';
import { hostPorts, type Undo } from '../../src/ports.ts';
import type { Page, Position, Query } from '../../src/storage/storage.ts';
import { StoredEvent } from '../../src/storage/stored-event.ts';
import type { DeadLetter, DeadLetterOptions } from '../../src/sync/dead-letter.ts';
import type { WindowRange } from '../../src/windows/windowed-view.ts';
import { CaptureBuffer, failedReceipt, type Receipt, type Settled } from './capture-buffer.ts';
import type { Client, ClientStatus, ConnectOptions } from './client-contract.ts';
import { listen, Listeners } from './listeners.ts';
import type { LogSettings, LogStatus, Windows } from './worker-api.ts';
import { WorkerLink } from './worker-link.ts';

/** The status changes with every capture; its listeners hear of it this often at most. */
const STATUS_MS = 16;

export class PageClient<Schemas extends EventSchemas> implements Client<Schemas> {
  readonly #make: EventFactory<Schemas>;
  readonly #link: WorkerLink;
  readonly #buffer: CaptureBuffer;
  readonly #statusListeners = new Listeners<ClientStatus>();
  readonly #windowListeners = new Listeners<Windows>();
  readonly #undos: Undo[];
  #log: LogStatus;
  /** Batches of this page that its log has answered. */
  #answered = 0;
  /** Events that this page could not capture or commit. */
  #refused = 0;
  #pageError: WireError | undefined;
  #watching = false;
  #announcing = false;
  #disposed: Promise<void> | undefined;

  constructor(options: ConnectOptions<Schemas>, makeWorker: () => Worker) {
    const { source = location.origin, flushMs = 50, maxBatch = 100, catalogue } = options;
    this.#make = createEventFactory({ source, ports: hostPorts, catalogue });
    this.#log = starting();
    this.#link = new WorkerLink(makeWorker());
    this.#buffer = new CaptureBuffer({
      ports: hostPorts,
      flushMs,
      maxBatch,
      send: (lines, separately) => this.#link.call((api) => api.append(lines, separately)),
      onSettled: (settled, failed, error) => this.#settled(settled, failed, error),
      onTrouble: () => this.#changed(),
    });
    void this.#open(options);
    this.#undos = [
      // The last moment at which a page that goes away can hand over what it holds.
      listen(window, 'pagehide', () => this.#buffer.sendAll()),
      listen(
        document,
        'visibilitychange',
        () => document.visibilityState === 'hidden' && this.#buffer.sendAll(),
      ),
      listen(window, 'online', () => this.#link.tell((api) => api.network(true))),
      listen(window, 'offline', () => this.#link.tell((api) => api.network(false))),
    ];
  }

  capture<Type extends TypeOf<Schemas> | (string & {})>(
    type: Type,
    data: DataOf<Schemas, Type>,
    options?: EventOptions,
  ): Receipt {
    try {
      if (this.#disposed !== undefined) throw disposed();
      const event = this.#make(type, data, options);
      const brought = options?.id !== undefined;
      const receipt = this.#buffer.add(event.id, encodeLine(event), {
        urgent: event.priority === 4,
        brought,
      });
      this.#changed();
      return receipt;
    } catch (cause) {
      const error = cause instanceof MillraceError ? cause : unexpected(cause);
      this.#refused++;
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
      ...(lastError !== undefined && { lastError }),
    };
  }

  onStatus(listener: (status: ClientStatus) => void): Undo {
    return this.#statusListeners.add(listener);
  }

  setOffline(offline: boolean): Promise<void> {
    return this.#link.call((api) => api.setOffline(offline));
  }

  windows(range: WindowRange = {}): Promise<Windows> {
    return this.#link.call((api) => api.windows(range));
  }

  onWindows(listener: (revised: Windows) => void): Undo {
    if (!this.#watching) {
      this.#watching = true;
      this.#link.tell((api) =>
        api.watchWindows(proxy((revised: Windows) => this.#windowListeners.notify(revised))),
      );
    }
    return this.#windowListeners.add(listener);
  }

  async query(query: Query = {}): Promise<Page> {
    const { lines, ...page } = await this.#link.call((api) => api.query(query));
    return { ...page, events: lines.map(([position, line]) => new StoredEvent(position, line)) };
  }

  deadLetters(options: DeadLetterOptions = {}): Promise<readonly DeadLetter[]> {
    return this.#link.call((api) => api.deadLetters(options));
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
    durability,
    keepEvents,
  }: ConnectOptions<Schemas>): Promise<void> {
    try {
      const { href } = new URL(endpoint, location.href);
      const settings: LogSettings = {
        log,
        endpoint: href.replace(/[?#].*$/, '').replace(/\/+$/, ''),
        sync,
        ...(durability !== undefined && { durability }),
        ...(keepEvents !== undefined && { keepEvents }),
      };
      await this.#link.open(settings, (status, appends) => this.#heard(status, appends));
    } catch (error) {
      const lastError = (error as MillraceError).toWire();
      this.#hear({
        ...this.#log,
        state: lastError.code === 'disposed' ? 'stopped' : 'failed',
        lastError,
      });
    }
  }

  async #dispose(): Promise<void> {
    for (const undo of this.#undos) undo();
    this.#buffer.end();
    await this.#link.dispose();
    this.#statusListeners.clear();
    this.#windowListeners.clear();
  }

  /** The answer to a batch tells of the log sooner than its status does. */
  #settled(settled: Settled, failed: number, error: WireError | undefined): void {
    this.#refused += failed;
    this.#pageError = error;
    if ('appended' in settled) this.#answered++;
    const head = 'appended' in settled ? settled.appended.head : 0;
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

function withHead(log: LogStatus, head: Position): LogStatus {
  const added = Math.max(0, head - log.committed);
  return { ...log, committed: log.committed + added, waiting: log.waiting + added };
}

function starting(): LogStatus {
  const { onLine: online } = navigator;
  return {
    committed: 0,
    waiting: 0,
    acknowledged: 0,
    rejected: 0,
    online,
    leader: false,
    state: 'starting',
  };
}

function disposed(): MillraceError<'disposed'> {
  return new MillraceError('disposed', 'the client was disposed: connect again', { what: 'client' });
}

/** Whatever a caller's data, schema or getter threw. */
function unexpected(cause: unknown): MillraceError<'event.invalid'> {
  const reason = `could not be read: ${String((cause as Error)?.message ?? cause)}`;
  return new MillraceError(
    'event.invalid',
    `the event ${reason}`,
    { path: '/', value: undefined, reason },
    { cause },
  );
}
