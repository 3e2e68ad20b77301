/** An OTLP collector over real HTTP: it keeps every span that it takes, and answers as told. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
  readonly status: { readonly code?: number; readonly message?: string };
  /** Of the resource. */
  readonly service: string;
}

interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: {
      readonly attributes: readonly { readonly key: string; readonly value: { stringValue?: string } }[];
    };
    readonly scopeSpans: readonly { readonly spans: readonly Omit<CollectedSpan, 'service'>[] }[];
  }[];
}

export interface CollectorAnswer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Collector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  readonly requests: { readonly headers: Readonly<Record<string, string>>; readonly body: string }[] =
    [];
  answer: () => CollectorAnswer | Promise<CollectorAnswer> = () => ({ status: 200, body: '{}' });
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A page's spans come from another origin than the collector's.
    const cors = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' };
    request.on('end', async () => {
      if (request.method === 'OPTIONS') return response.writeHead(204, cors).end();
      const body = Buffer.concat(chunks).toString();
      this.requests.push({ headers: request.headers as Record<string, string>, body });
      const answer = await this.answer();
      if (answer.status === 200) this.#take(JSON.parse(body) as ExportRequest);
      return response.writeHead(answer.status, { ...cors, ...answer.headers }).end(answer.body ?? '');
    });
  });

  static async listen(): Promise<Collector> {
    const collector = new Collector();
    await new Promise<void>((done) => collector.#server.listen(0, '127.0.0.1', done));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #take({ resourceSpans }: ExportRequest): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const name = resource.attributes.find(({ key }) => key === 'service.name');
      const service = name?.value.stringValue ?? '';
      for (const { spans } of scopeSpans)
        this.spans.push(...spans.map((span) => ({ ...span, service })));
    }
  }
}
