/** For the bench `edge`: the edge, and beside it in the same process what it is measured against: objects that store what they are given. */
import { DurableObject } from 'cloudflare:workers';
import edge from '../../workers/edge/index.ts';

export * from '../../workers/edge/index.ts';

interface PeerEnv {
  readonly BLOBS: DurableObjectNamespace;
  readonly BARE: DurableObjectNamespace;
}

/** Stores each body as one blob, and nothing of what is in it can be found again. */
export class Blobs extends DurableObject {
  constructor(context: DurableObjectState, env: unknown) {
    super(context, env as never);
    context.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS blobs (position INTEGER PRIMARY KEY, lines TEXT)',
    );
  }

  override async fetch(request: Request): Promise<Response> {
    this.ctx.storage.sql.exec('INSERT INTO blobs (lines) VALUES (?)', await request.text());
    return Response.json({ status: 'stored' });
  }
}

/** Parses one event, checks nothing, and stores those that wait as one blob: group commit, and no more. */
export class Bare extends DurableObject {
  #waiting: string[] = [];
  #running: Promise<void> | undefined;

  constructor(context: DurableObjectState, env: unknown) {
    super(context, env as never);
    context.storage.sql.exec(
      'CREATE TABLE IF NOT EXISTS blobs (position INTEGER PRIMARY KEY, lines TEXT)',
    );
  }

  override async fetch(request: Request): Promise<Response> {
    this.#waiting.push(JSON.stringify(await request.json()));
    await (this.#running ??= this.#drain());
    if (this.#waiting.length > 0) await (this.#running ??= this.#drain());
    return Response.json({ status: 'stored' });
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    this.ctx.storage.sql.exec(
      'INSERT INTO blobs (lines) VALUES (?)',
      this.#waiting.splice(0).join('\n'),
    );
    await this.ctx.storage.sync();
    this.#running = undefined;
  }
}

export default {
  fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    const { BLOBS, BARE } = env as unknown as PeerEnv;
    if (pathname === '/peer/blobs') return BLOBS.getByName('blobs').fetch(request);
    if (pathname === '/peer/bare') return BARE.getByName('bare').fetch(request);
    return edge.fetch(request as never, env as never, context);
  },
} satisfies ExportedHandler;
