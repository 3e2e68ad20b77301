/**
 * HTTP/1.1 requests over a number of connections that stay open, each with one request under way: plain sockets and
 * requests made beforehand, so that the client takes little of the machine that it measures.
 */
import { connect, type Socket } from 'node:net';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
}

export interface RequestParts {
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly key?: string;
  readonly body?: string;
  readonly contentType?: string;
}

export function requestOf({ method = 'POST', path, key, body = '', contentType }: RequestParts): Buffer {
  const head = [
    `${method} ${path} HTTP/1.1`,
    'host: edge.test',
    ...(key === undefined ? [] : [`authorization: Bearer ${key}`]),
    ...(method === 'POST' ? [`content-type: ${contentType ?? 'application/json'}`] : []),
    ...(method === 'POST' ? [`content-length: ${Buffer.byteLength(body)}`] : []),
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/** @throws where an answer is not 200 */
export async function load(
  requests: readonly Buffer[],
  { port, connections }: LoadOptions,
): Promise<string[]> {
  const answers: string[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    const connection = await Connection.open(port);
    for (let at = next++; at < requests.length; at = next++)
      answers[at] = await connection.ask(requests[at]!);
    connection.end();
  };
  await Promise.all(Array.from({ length: connections }, work));
  return answers;
}

class Connection {
  readonly #socket: Socket;
  #text = '';
  #answered: ((body: string) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true).setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      this.#text += chunk;
      this.#look();
    });
    socket.on('error', (error) => this.#failed?.(error));
    socket.on('close', () => this.#failed?.(new Error('the edge closed the connection')));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((done, fail) => {
      const socket = connect(port, '127.0.0.1', () => done(new Connection(socket)));
      socket.once('error', fail);
    });
  }

  ask(request: Buffer): Promise<string> {
    return new Promise((done, fail) => {
      this.#answered = done;
      this.#failed = fail;
      this.#socket.write(request);
    });
  }

  end(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #look(): void {
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return;
    const head = this.#text.slice(0, end).toLowerCase();
    const body = this.#text.slice(end + 4);
    const length = /content-length: (\d+)/.exec(head)?.[1];
    if (length === undefined ? !body.endsWith('0\r\n\r\n') : Buffer.byteLength(body) < Number(length))
      return;
    this.#text = '';
    if (head.startsWith('http/1.1 200')) this.#answered?.(body);
    else this.#failed?.(new Error(`the edge answered ${head.split('\r\n')[0]}: ${body.slice(0, 300)}`));
  }
}
