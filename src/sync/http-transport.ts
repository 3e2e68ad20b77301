/**
 * The sync protocol over HTTP. Answers become the errors that a producer acts on: what cannot be understood is an edge
 * that is out of reach, never a success.
 */
import type { ProducerHead } from '../storage/storage.ts';
import { readHead, readPull, readPushAnswer } from './answer.ts';
import { createAsk, understood, type Ask, type HttpOptions } from './http-ask.ts';
import { encodePush, syncPaths } from './protocol.ts';
import type { PushTransport, SyncTransport } from './transport.ts';

/** A character may take three bytes, of the 64 KiB that may outlive a page. */
const KEEPALIVE_CHARACTERS = 21_845;

export function httpTransport(options: HttpOptions): SyncTransport {
  const ask = createAsk(options);
  const { endpoint } = options;
  return {
    ...pushBy(ask, endpoint),
    pull: (after, limit, signal) => {
      const from = after === undefined ? '' : `after=${encodeURIComponent(after)}&`;
      const path = `${syncPaths.pull}?${from}limit=${limit}`;
      return understood(ask({ path, signal }), readPull, endpoint);
    },
  };
}

/** What a producer needs of it. */
export function httpPushTransport(options: HttpOptions): PushTransport {
  return pushBy(createAsk(options), options.endpoint);
}

function pushBy(ask: Ask, endpoint: string): PushTransport {
  return {
    push: (push, signal) => {
      const body = encodePush(push);
      const contentType = 'application/x-ndjson';
      // What is under way when the page goes may still arrive. If not, whoever leads next repeats it.
      const keepalive = body.length <= KEEPALIVE_CHARACTERS;
      const request = { path: syncPaths.push, body, contentType, keepalive, signal };
      return understood(ask(request), readPushAnswer, endpoint);
    },
    head: (producer, signal): Promise<ProducerHead> => {
      const path = `${syncPaths.head}?producer=${encodeURIComponent(producer)}`;
      return understood(ask({ path, signal }), readHead, endpoint);
    },
  };
}
