/**
 * The chain of a producer's pushes. Each carries the hash of all that came before it and the hash with its own lines
 * added, so that the edge can state "complete up to n, with this hash", and a line that is lost, moved, altered or
 * inserted on the way is found at once: the edge computes the hash of what it received.
 *
 * A link is SHA-256 over the value before it, what the push covers, and its lines. The epoch is no part of it: a push that
 * a later leader repeats is the same link. It proves that what is stored is what was pushed, not who has pushed it.
 */
import { MillraceError } from '../errors.ts';
import type { Digest } from '../ports.ts';
import { toHex } from './random-id.ts';
import type { ChainLink, Push, PushAnswer } from './protocol.ts';

/** The part of a push that the chain vouches for. */
export type Chained = Pick<Push, 'producer' | 'seq' | 'count' | 'holes' | 'lines'>;

/** What the edge keeps of a chain, and states: all from `since` to `seq` came whole and in order. */
export interface ChainHead {
  /** The first sequence of the chain: 1, but for a producer that began before there was one. */
  readonly since: number;
  readonly seq: number;
  readonly value: string;
}

const encoder = new TextEncoder();

export async function linkOf(digest: Digest, previous: string, push: Chained): Promise<ChainLink> {
  const { producer, seq, count, holes, lines } = push;
  // A line has no line break in it, so that no two pushes read alike.
  const text = [JSON.stringify([previous, producer, seq, count, holes]), ...lines].join('\n');
  const hash = new Uint8Array(await digest(encoder.encode(text) as Uint8Array<ArrayBuffer>));
  return { previous, value: toHex(hash) };
}

/** The push with its link, where the host can hash. */
export async function chained(digest: Digest | undefined, previous: string, push: Push): Promise<Push> {
  return digest === undefined ? push : { ...push, chain: await linkOf(digest, previous, push) };
}

/**
 * The hash of all up to the push's end, as the edge answers it: '' where it does not know it, or has more than the push,
 * whose end lies within an earlier one then. `undefined` for an answer that is not to this push.
 */
export function chainOfAnswer(push: Push, answer: PushAnswer): string | undefined {
  const { chain, repeated, seq } = answer;
  if (chain === undefined || seq !== push.seq + push.count - 1) return '';
  return repeated || chain === push.chain?.value ? chain : undefined;
}

/** @throws MillraceError `chain.broken` where the lines are not those that the push was sent with. */
export async function checkLink(digest: Digest, push: Chained & Pick<Push, 'chain'>): Promise<void> {
  if (push.chain === undefined) return;
  const { value } = await linkOf(digest, push.chain.previous, push);
  if (value !== push.chain.value) throw chainBroken(push, 'lines', push.chain.value, value);
}

/**
 * The head after a push that is next in its sequence: to be stored in the commit of its events. One that is not next is
 * for the sequence itself to refuse, or to know as a repeat.
 *
 * @throws MillraceError `chain.broken` where the push does not follow on the head.
 */
export function extendChain(
  head: ChainHead | undefined,
  push: Omit<Chained, 'holes' | 'lines'> & Pick<Push, 'chain'>,
): ChainHead | undefined {
  const { seq, count, chain } = push;
  if (head !== undefined && seq === head.seq + 1 && chain?.previous !== head.value)
    throw chainBroken(push, 'before', head.value, chain?.previous ?? '');
  return chain && { since: head?.since ?? seq, seq: seq + count - 1, value: chain.value };
}

export function chainBroken(
  { producer, seq, count }: Pick<Push, 'producer' | 'seq' | 'count'>,
  part: 'before' | 'lines',
  expected: string,
  received: string,
): MillraceError<'chain.broken'> {
  const last = seq + count - 1;
  const where =
    part === 'lines'
      ? `the events ${seq} to ${last} of producer ${producer} were altered on the way; send them again`
      : `what producer ${producer} had sent before ${seq} is not what it says`;
  const details = { producer, seq, last, part, expected, received };
  return new MillraceError('chain.broken', where, details);
}
