/**
 * As fast an edge as can be: it reads pushes and keeps each producer's head, as the protocol has it, and no event. What
 * is left of a push's time is the producer's own. It answers any other post with an empty object.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { decodePush, syncPaths } from '../../src/sync/protocol.ts';

export interface StandInEdge {
  readonly answer: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Events that came, each once. */
  readonly events: number;
}

export function standInEdge(): StandInEdge {
  const heads = new Map<string, { readonly epoch: number; readonly seq: number }>();
  let events = 0;

  /** The answer, or what the producer is refused for. */
  function push(body: string): object {
    const { producer, epoch, seq, count, lines, chain } = decodePush(body);
    const head = heads.get(producer) ?? { epoch: 0, seq: 0 };
    const last = seq + count - 1;
    const repeated = last <= head.seq;
    if (!repeated && seq !== head.seq + 1) {
      const details = { producer, expected: head.seq + 1, received: seq };
      return { status: 409, code: 'producer.gap', title: 'a gap in the sequence', details };
    }
    if (!repeated) {
      heads.set(producer, { epoch, seq: last });
      events += lines.length;
    }
    const time = new Date().toISOString();
    return { epoch, seq: Math.max(last, head.seq), duplicates: 0, repeated, time, chain: chain?.value };
  }

  return {
    get events() {
      return events;
    },
    answer(request, response) {
      const url = new URL(request.url ?? '/', 'http://localhost');
      if (request.method === 'GET' && url.pathname === syncPaths.head) {
        const head = heads.get(url.searchParams.get('producer') ?? '');
        response.end(JSON.stringify(head ?? { epoch: 0, seq: 0 }));
        return true;
      }
      if (request.method !== 'POST') return false;
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        const answer = url.pathname === syncPaths.push ? push(body) : {};
        const refused = 'status' in answer;
        response.writeHead(refused ? 409 : 200, {
          'content-type': refused ? 'application/problem+json' : 'application/json',
        });
        response.end(JSON.stringify(answer));
      });
      return true;
    },
  };
}
