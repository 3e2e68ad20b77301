/** Unzips a stream to its very end: all that can be unzipped comes before the error of what cannot. */
import { createGunzip } from 'node:zlib';

/** @throws Error whose code begins with `Z_`, where the stream is damaged or cut off. */
export async function* gunzip(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const unzip = createGunzip();
  // Taken as it comes: a stream that fails drops what nobody has read by then.
  let ready: Buffer[] = [];
  let failure: Error | undefined;
  unzip.on('data', (chunk: Buffer) => ready.push(chunk));
  unzip.on('error', (error) => (failure = error));
  const take = (): Buffer[] => {
    const taken = ready;
    ready = [];
    return taken;
  };
  try {
    for await (const chunk of chunks) {
      await new Promise<void>((done) => unzip.write(chunk, () => done()));
      yield* take();
      if (failure !== undefined) throw failure;
    }
    await new Promise<void>((done) => unzip.once('close', done).end());
    yield* take();
    if (failure !== undefined) throw failure;
  } finally {
    unzip.destroy();
  }
}
