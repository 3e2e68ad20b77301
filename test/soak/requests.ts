/** `npm run soak -- requests [COUNT]`: requests made from the OpenAPI document, to an edge of its own on this machine. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';
import { AnswerCheck, requestsOf, type Document, type GeneratedRequest } from './openapi-requests.ts';

const CHUNK = 2000;
const AT_ONCE = 16;

export async function requests([
  count = '100000',
  seed = String(Date.now()),
]: readonly string[]): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-requests-'));
  const edge = await startEdge({ stateDir: folder, quiet: true });
  // A signal ends this process by `exit`, which takes the edge with it.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
  try {
    return await sendAll(edge, Number(count), Number(seed) | 0);
  } finally {
    await edge.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function sendAll(edge: EdgeProcess, count: number, seed: number): Promise<boolean> {
  const document = (await (await fetch(`${edge.url}/openapi.json`)).json()) as Document;
  const check = new AnswerCheck(document);
  const statuses = new Map<number, number>();
  const problems: string[] = [];
  for (let sent = 0; sent < count && problems.length === 0; sent += CHUNK) {
    const chunk = fc.sample(requestsOf(document), {
      numRuns: Math.min(CHUNK, count - sent),
      seed: seed + sent,
    });
    await together(chunk, async (request) => {
      const answer = await send(edge, request);
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      const problem = await check.problemOf(request, answer);
      if (problem !== undefined) problems.push(`${JSON.stringify(request)}\n${problem}`);
    });
    process.stderr.write(`\r${sent + chunk.length} requests`);
  }
  const shown = [...statuses]
    .toSorted(([a], [b]) => a - b)
    .map(([status, times]) => `${status}: ${times}`);
  console.log(`\nseed ${seed}; ${shown.join(', ')}\n${problems.length} wrong answers`);
  for (const problem of problems.slice(0, 5)) console.error(problem);
  return problems.length === 0;
}

function send(edge: EdgeProcess, { method, path, headers, body }: GeneratedRequest): Promise<Response> {
  return fetch(edge.url + path, {
    method,
    headers: { ...headers, authorization: `Bearer ${edge.keys.admin}` },
    ...(body !== undefined && { body }),
  });
}

async function together<T>(all: readonly T[], run: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  const worker = async (): Promise<void> => {
    for (const one of left) await run(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
