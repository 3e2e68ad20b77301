/** A TCP proxy between the browser and the edge that a test can cut: the network as it is, and as it fails. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Proxy extends AsyncDisposable {
  readonly url: string;
  /** Ends all connections and takes no more, until `restore`. */
  cut(): void;
  restore(): void;
  /** Passes requests on, but swallows all that the edge answers: what it acknowledged is never heard of. */
  swallowAnswers(swallow: boolean): void;
  /** New connections go to another port: an edge that was started again. */
  retarget(port: number): void;
  /** Bytes that went to the edge. */
  sent(): number;
}

export async function startProxy(targetPort: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const state = { cut: false, swallow: false, sent: 0, target: targetPort };
  const server = createServer((client) => {
    if (state.cut) {
      client.destroy();
      return;
    }
    const upstream = connect(state.target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      // A side that fails takes the other with it: that is all there is to know of it.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      state.sent += chunk.byteLength;
      if (!upstream.write(chunk)) client.pause();
    });
    upstream.on('drain', () => client.resume());
    upstream.on('data', (chunk) => {
      if (!state.swallow && !client.write(chunk)) upstream.pause();
    });
    client.on('drain', () => upstream.resume());
  });
  const port = await listen(server);
  const destroyAll = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    url: `http://localhost:${port}`,
    cut: () => {
      state.cut = true;
      destroyAll();
    },
    restore: () => void (state.cut = false),
    swallowAnswers: (swallow) => {
      state.swallow = swallow;
      // What was swallowed leaves its connections in the middle of an answer.
      if (!swallow) destroyAll();
    },
    retarget: (to) => {
      state.target = to;
      destroyAll();
    },
    sent: () => state.sent,
    [Symbol.asyncDispose]: () => {
      destroyAll();
      return new Promise((done) => void server.close(() => done()));
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => done((server.address() as AddressInfo).port));
  });
}
