/** A pusher's contact with the edge: what its last answers tell of it, and how far its clock is ahead. */
import { hasCode } from '../errors.ts';
import { parseTimestamp } from '../event/timestamp.ts';
import type { Ports } from '../ports.ts';
import { ClockSkew } from './clock-skew.ts';
import type { Push, PushAnswer } from './protocol.ts';
import type { PushTransport } from './transport.ts';
import { abortable } from './wake.ts';

/** A clock that is off by so much more, or less, than the edge was told is told anew. */
const SKEW_STEP_MS = 1_000;

export class EdgeContact {
  readonly #transport: PushTransport;
  readonly #ports: Pick<Ports, 'now'>;
  readonly #skew = new ClockSkew();
  #toldSkewMs = 0;
  #down = false;
  #well = false;

  constructor(transport: PushTransport, ports: Pick<Ports, 'now'>) {
    this.#transport = transport;
    this.#ports = ports;
  }

  /** It was out of reach at the last try: the next one is a probe, and no full push. */
  get down(): boolean {
    return this.#down;
  }

  get skewMs(): number | undefined {
    return this.#skew.ms;
  }

  async push(push: Push, signal: AbortSignal): Promise<PushAnswer> {
    const { skewMs } = this;
    const tells = skewMs !== undefined && Math.abs(skewMs - this.#toldSkewMs) >= SKEW_STEP_MS;
    const sentAt = this.#ports.now();
    const asked = this.#transport.push(tells ? { ...push, skewMs } : push, signal);
    const answer = await abortable(asked, signal);
    if (tells) this.#toldSkewMs = skewMs;
    const time = parseTimestamp(String(answer.time));
    if (time !== undefined) this.#skew.sample(sentAt, this.#ports.now(), time);
    return answer;
  }

  /** Before a lone event is given up on a status alone, the edge must have shown that it is one, and well. */
  async proveWell(producer: string, signal: AbortSignal): Promise<void> {
    if (!this.#well) await abortable(this.#transport.head(producer, signal), signal);
  }

  succeeded(): void {
    this.#down = false;
    this.#well = true;
  }

  /** It is there, and does not take what was pushed. */
  refused(): void {
    this.#down = false;
  }

  failed(error: unknown): void {
    this.#down ||= hasCode(error, 'sync.unreachable');
    this.#well = false;
  }
}
