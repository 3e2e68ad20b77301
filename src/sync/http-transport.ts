/**
 * The sync protocol over HTTP. Answers become the errors that a producer acts on: what cannot be understood is an edge
 * that is out of reach, never a success.
 */
import type { ProducerHead } from '../storage/storage.ts';
import { readHead, readPull, readPushAnswer } from './answer.ts';
import { createAsk, understood, type HttpOptions } from './http-ask.ts';
import { encodePush, syncPaths } from './protocol.ts';
import type { SyncTransport } from './transport.ts';

export function httpTransport(options: HttpOptions): SyncTransport {
  const ask = createAsk(options);
  const { endpoint } = options;
  return {
    push: (push, signal) => {
      const body = encodePush(push);
      const contentType = 'application/x-ndjson';
      return understood(
        ask({ path: syncPaths.push, body, contentType, signal }),
        readPushAnswer,
        endpoint,
      );
    },
    head: (producer, signal): Promise<ProducerHead> => {
      const path = `${syncPaths.head}?producer=${encodeURIComponent(producer)}`;
      return understood(ask({ path, signal }), readHead, endpoint);
    },
    pull: (after, limit, signal) => {
      const from = after === undefined ? '' : `after=${encodeURIComponent(after)}&`;
      return understood(
        ask({ path: `${syncPaths.pull}?${from}limit=${limit}`, signal }),
        readPull,
        endpoint,
      );
    },
  };
}
