/**
 * Deliveries to a Cloudflare Queue, for what HTTP does not reach: `queue:NAME` in place of a callback's URL, where NAME is
 * a queue that the Worker is bound to as a producer. A delivery is one message, and says what a request would: its headers,
 * signature and sequence among them, and its body to the letter. What is delivered together goes out in few batches.
 *
 * A queue promises at least once, and no order. A key's next delivery is sent once the one before was taken, and the
 * sequence says what came twice, what is missing, and what came too early.
 *
 * @see https://developers.cloudflare.com/queues/platform/limits/
 */
import type { Ports } from '../../../src/ports.ts';
import type { Contact, Contacted } from './contact.ts';
import type { Consent } from './handshake.ts';

/** The part of a queue's producer that is needed. */
export interface QueueProducer {
  sendBatch(messages: readonly QueueMessage[]): Promise<unknown>;
}

export interface QueueMessage {
  readonly body: QueuedDelivery;
  readonly contentType: 'json';
}

/** What a consumer is given: as of a request, so that the same code verifies both. */
export interface QueuedDelivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** By the names of their bindings. */
export type Queues = Readonly<Record<string, QueueProducer>>;

export const queueLimits = {
  /** Of one batch. */
  messages: 100,
  /** Of one batch, in bytes; a KB is 1,000 of them. */
  batchBytes: 256_000,
  messageBytes: 128_000,
  /** What a queue adds to a message. */
  metadataBytes: 100,
} as const;

const SCHEME = 'queue:';
const encoder = new TextEncoder();

/** Every queue that the Worker is bound to as a producer. */
export function queuesIn(bindings: object): Queues {
  return Object.fromEntries(Object.entries(bindings).filter(isQueue));
}

/** A service answers to every method's name, and to `fetch`. */
function isQueue(entry: [string, unknown]): entry is [string, QueueProducer] {
  const [, binding] = entry;
  if (typeof binding !== 'object' || binding === null || 'fetch' in binding) return false;
  return 'sendBatch' in binding && typeof binding.sendBatch === 'function';
}

/** The name of the queue's binding, where the callback is a queue. */
export function queueOf(callback: string): string | undefined {
  return callback.startsWith(SCHEME) ? callback.slice(SCHEME.length) : undefined;
}

/** The rest of a sentence that starts with the callback; `undefined` where the queue is bound. */
export function objectionToQueue(name: string, queues: Queues): string | undefined {
  if (Object.hasOwn(queues, name)) return undefined;
  const known = Object.keys(queues).map((each) => SCHEME + each);
  return known.length === 0
    ? 'must be a URL: the edge is bound to no queue'
    : `must be a queue that the edge is bound to: ${known.join(', ')}`;
}

/** Whoever has bound a queue to the edge has consented. */
export function consentOfQueue(name: string, queues: Queues): Consent {
  const objection = objectionToQueue(name, queues);
  return objection === undefined
    ? { given: true }
    : { given: false, reason: `the callback ${objection}` };
}

interface Waiting {
  readonly message: QueueMessage;
  readonly bytes: number;
  readonly timeoutMs: number;
  readonly settle: (error?: string) => void;
}

export class QueueSender {
  readonly #queues: Queues;
  readonly #ports: Pick<Ports, 'now' | 'after'>;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(queues: Queues, ports: Pick<Ports, 'now' | 'after'>) {
    this.#queues = queues;
    this.#ports = ports;
  }

  /** Never rejects: whatever happens is the answer. What is sent in the same turn goes out together. */
  async send(name: string, { headers, body = '', timeoutMs }: Contact): Promise<Contacted> {
    const started = this.#ports.now();
    const message = { body: { headers, body }, contentType: 'json' } as const;
    const bytes = encoder.encode(JSON.stringify(message.body)).byteLength + queueLimits.metadataBytes;
    if (bytes > queueLimits.messageBytes) {
      const most = queueLimits.messageBytes;
      const error = `the delivery takes ${bytes} bytes in a queue, of which a message may have ${most}`;
      return { error, final: true, latencyMs: 0 };
    }
    const error = await new Promise<string | undefined>((settle) =>
      this.#add(name, { message, bytes, timeoutMs, settle }),
    );
    const latencyMs = this.#ports.now() - started;
    return error === undefined ? { taken: true, latencyMs } : { error, latencyMs };
  }

  #add(name: string, waiting: Waiting): void {
    const others = this.#waiting.get(name);
    if (others !== undefined) {
      others.push(waiting);
      return;
    }
    this.#waiting.set(name, [waiting]);
    void Promise.resolve().then(() => this.#flush(name));
  }

  #flush(name: string): void {
    const all = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    for (const batch of batches(all)) void this.#sendBatch(name, batch);
  }

  async #sendBatch(name: string, batch: readonly Waiting[]): Promise<void> {
    const timeoutMs = Math.max(...batch.map((each) => each.timeoutMs));
    const { promise: late, reject } = Promise.withResolvers<never>();
    const undo = this.#ports.after(timeoutMs, () =>
      reject(new Error(`no answer within ${timeoutMs} ms`)),
    );
    let error: string | undefined;
    try {
      const queue = Object.hasOwn(this.#queues, name) ? this.#queues[name] : undefined;
      if (queue === undefined) throw new Error(`the edge is bound to no queue ${name}`);
      await Promise.race([queue.sendBatch(batch.map(({ message }) => message)), late]);
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown);
    } finally {
      undo();
    }
    for (const { settle } of batch) settle(error);
  }
}

/** As many together as a batch may have, in their order. */
function batches(all: readonly Waiting[]): readonly Waiting[][] {
  const made: Waiting[][] = [];
  let bytes = Infinity;
  for (const each of all) {
    const fits =
      bytes + each.bytes <= queueLimits.batchBytes && made.at(-1)!.length < queueLimits.messages;
    if (!fits) made.push([]);
    made.at(-1)!.push(each);
    bytes = fits ? bytes + each.bytes : each.bytes;
  }
  return made;
}
