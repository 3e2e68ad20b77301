/** What the workers of one log tell each other across tabs. All of it is a hint: the log's values are the truth. */
import type { WireError } from '../../src/errors.ts';
import type { PushState } from '../../src/sync/push-status.ts';
import type { Windows } from './worker-api.ts';

export type TabHint =
  /** The leader's state; its counts are in the log. */
  | { readonly hint: 'pusher'; readonly state: PushState; readonly lastError?: WireError }
  /** A tab that has just opened, or that has not heard of a leader for a while, asks the leader for its state. */
  | { readonly hint: 'ask' }
  | { readonly hint: 'offline-switch' }
  | { readonly hint: 'windows'; readonly revised: Windows };

export class TabChannel {
  readonly #channel: BroadcastChannel;

  constructor(log: string, onHint: (hint: TabHint) => void) {
    this.#channel = new BroadcastChannel(`millrace-tabs:${log}`);
    this.#channel.addEventListener('message', ({ data }: MessageEvent<TabHint>) => onHint(data));
  }

  post(hint: TabHint): void {
    this.#channel.postMessage(hint);
  }

  close(): void {
    this.#channel.close();
  }
}
