/**
 * Where a stream's results go.
 *
 * | output | how often | where |
 * |---|---|---|
 * | `toLog`, `toDocuments` | exactly once | in the commit that moves the stream's checkpoint |
 * | `toStorage` | exactly once | another storage, by a producer's sequence |
 * | `toHandler`, `toBus`, `toTopic` | at least once, in order, after that commit, from what it has stored | wherever |
 *
 * What fails to be made, or handed on, is a dead letter of the stream; other outputs and later results go on.
 */
import type { Event } from '../../event/event.ts';
import type { EventOptions } from '../../event/factory.ts';
import type { RetryOptions } from '../../bus/retry.ts';
import { checkRetry } from '../../bus/retry.ts';
import { checkFunction, checkNumber } from '../../bus/event-handler.ts';
import type { Storage, StoredValue } from '../../storage/storage.ts';
import { keySlot, sortableTime } from '../key-slot.ts';
import type { StreamResult } from './stream-result.ts';

/**
 * An event that is made of a result. Its id is given: the same result's is the same, whenever it is made again. Default
 * time: when the result was handed on; default source: `stream/` and the stream's name.
 */
export interface ResultEvent extends Omit<EventOptions, 'id'> {
  readonly type: string;
  readonly data: unknown;
}

/** What is stored of a result. */
export interface Made {
  readonly events?: readonly ResultEvent[] | undefined;
  readonly put?: readonly (readonly [key: string, value: StoredValue | undefined])[] | undefined;
}

export interface OutputOptions {
  /** As dead letters name it, and as the log keeps what is not handed on yet. Default: `output-` and its place. */
  readonly name?: string | undefined;
}

export interface HandlerOutputOptions extends OutputOptions {
  /** Default: it is tried once. */
  readonly retry?: RetryOptions | undefined;
}

/** Makes an event of the result that is handed on, the `index`th of it. */
export type CompleteEvent = (draft: ResultEvent, index: number) => Event;

export interface CommittedOutput<Item> extends OutputOptions {
  readonly kind: 'committed';
  /** Only the latest of a result's items matters: an older one that has failed is no dead letter any more. */
  readonly latest?: true;
  make(item: Item): Made;
}
export interface StoredOutput<Item> extends OutputOptions {
  readonly kind: 'stored';
  readonly storage: Storage;
  make(item: Item): Made;
}
export interface CalledOutput<Item> extends HandlerOutputOptions {
  readonly kind: 'called';
  call(item: Item, complete: CompleteEvent): unknown;
}

export type StreamOutput<Item> = CommittedOutput<Item> | StoredOutput<Item> | CalledOutput<Item>;

type Drafts<Item> = (item: Item) => ResultEvent | readonly ResultEvent[] | undefined;

/** Appends events of the results to the stream's own log. The stream does not read them itself; another may. */
export function toLog<Item = StreamResult>(
  make: Drafts<Item>,
  { name }: OutputOptions = {},
): CommittedOutput<Item> {
  checkFunction('make', make);
  return { kind: 'committed', name, make: (item) => ({ events: drafts(make(item)) }) };
}

export interface DocumentsOptions<Item> extends OutputOptions {
  /** Default: the result's window, key, value, revision and whether it is complete. */
  readonly value?: ((item: Item) => StoredValue) | undefined;
}

/**
 * Keeps the latest of each result in the stream's own storage, under the prefix, then the definition's name, the key and
 * the window's start and end: `list(prefix/name/)` reads them. What is taken back is removed.
 */
export function toDocuments<Item extends StreamResult<never>>(
  prefix: string,
  { name, value = documentOf }: DocumentsOptions<Item> = {},
): CommittedOutput<Item> {
  return {
    kind: 'committed',
    name,
    latest: true,
    make: (item) => ({
      put: [[documentKey(prefix, item), item.removed === true ? undefined : value(item)]],
    }),
  };
}

/** Where `toDocuments` keeps a result. */
export function documentKey(
  prefix: string,
  { name, key, window }: Pick<StreamResult, 'name' | 'key' | 'window'>,
): string {
  const place = `${sortableTime(window.start)}-${sortableTime(window.end)}`;
  return `${prefix}/${keySlot(name)}/${keySlot(key)}/${place}`;
}

/** Stores what is made of the results in another storage, under the stream's own producer. */
export function toStorage<Item = StreamResult>(
  storage: Storage,
  make: (item: Item) => Made,
  { name }: OutputOptions = {},
): StoredOutput<Item> {
  checkFunction('make', make);
  return { kind: 'stored', name, storage, make };
}

/** Calls the handler with one result after another; the stream waits for it. */
export function toHandler<Item = StreamResult>(
  handler: (item: Item) => unknown,
  { name, retry }: HandlerOutputOptions = {},
): CalledOutput<Item> {
  checkFunction('handler', handler);
  checkRetry(retry);
  checkNumber('retry/count', retry?.count, 0, 'whole');
  return { kind: 'called', name, retry, call: (item) => handler(item) };
}

/** Publishes events of the results. Who gets one twice knows it by its id. */
export function toBus<Item = StreamResult>(
  bus: { publish(event: Event): unknown },
  make: Drafts<Item>,
  { name, retry }: HandlerOutputOptions = {},
): CalledOutput<Item> {
  checkFunction('make', make);
  checkRetry(retry);
  const call = async (item: Item, complete: CompleteEvent): Promise<void> => {
    for (const [i, draft] of drafts(make(item)).entries()) await bus.publish(complete(draft, i));
  };
  return { kind: 'called', name, retry, call };
}

/** Publishes events of the results under the topic. */
export function toTopic<Item = StreamResult>(
  topics: { publish(topic: string, event: Event): unknown },
  topic: string,
  make: Drafts<Item>,
  options: HandlerOutputOptions = {},
): CalledOutput<Item> {
  return toBus({ publish: (event) => topics.publish(topic, event) }, make, options);
}

function drafts(made: ResultEvent | readonly ResultEvent[] | undefined): readonly ResultEvent[] {
  if (made === undefined) return [];
  return Array.isArray(made) ? (made as readonly ResultEvent[]) : [made as ResultEvent];
}

function documentOf({ window, key, value, revision, complete }: StreamResult<never>): StoredValue {
  return { window: { ...window }, key, value: value ?? null, revision, complete };
}
