/** A page that autocaptures, and shows what it did. */
import { defineEvents } from '../../../src/event/catalogue.ts';
import {
  autocapture,
  autocaptured,
  type AutocaptureOptions,
} from '../../../workers/browser/autocapture/autocapture.ts';
import { connect } from '../../../workers/browser/client.ts';
// oxlint-disable-next-line import/default -- Vite makes it: the address of the worker's bundle
import workerUrl from '../../../workers/browser/worker.ts?worker&url';

export interface Captured {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const pushState = history.pushState;
const captured: Captured[] = [];

const shown = {
  captured,
  historyIsOwn: () => history.pushState === pushState,
  /** `throws`: the client fails at every capture. */
  start(options: AutocaptureOptions, throws = false): () => void {
    const client = {
      capture(type: string, data: object): void {
        if (throws) throw new Error('the client is broken');
        captured.push({ type, data: data as Captured['data'] });
      },
    };
    return autocapture(client, options);
  },
  /** With a client whose catalogue takes nothing else; resolves to the types in its log. */
  async inLog(act: () => void): Promise<readonly string[]> {
    const client = connect({
      endpoint: location.origin,
      sync: false,
      catalogue: defineEvents(autocaptured, { strict: true }),
      worker: () => new Worker(workerUrl, { type: 'module' }),
    });
    const stop = autocapture(client, { pageViews: true, clicks: true, forms: true, errors: true });
    act();
    await client.flush();
    const { events } = await client.query();
    stop();
    await client.dispose();
    return events.map(({ event }) => event.type);
  },
};

export type AutocapturePage = typeof shown;

Object.assign(globalThis, { shown });
