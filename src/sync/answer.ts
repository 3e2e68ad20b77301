/** Reads the edge's answers. An answer that is not of the protocol reads as `undefined`: nothing may be built on it. */
import type { ProducerHead } from '../storage/storage.ts';
import type { Pull, PushAnswer } from './protocol.ts';

export function readPushAnswer(body: string): PushAnswer | undefined {
  const answer = parseObject(body);
  if (answer === undefined || !isCount(answer['epoch']) || !isCount(answer['seq'])) return undefined;
  if (!isCount(answer['duplicates']) || typeof answer['repeated'] !== 'boolean') return undefined;
  return answer as unknown as PushAnswer;
}

export function readHead(body: string): ProducerHead | undefined {
  const head = parseObject(body);
  if (head === undefined || !isCount(head['epoch']) || !isCount(head['seq'])) return undefined;
  return { epoch: head['epoch'], seq: head['seq'] };
}

/** NDJSON: the header `{next, head, more}`, then the lines. */
export function readPull(body: string): Pull | undefined {
  const [first = '', ...lines] = body.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const header = parseObject(first);
  if (header === undefined) return undefined;
  const { next, head, more } = header;
  if (typeof next !== 'string' || typeof head !== 'string' || typeof more !== 'boolean')
    return undefined;
  return { next, head, more, lines };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
