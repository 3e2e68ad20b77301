/**
 * Topics and their patterns, as in AMQP 0-9-1 (topic exchange): words joined by dots; in a pattern `*` stands for one
 * word and `#` for none or more.
 *
 * @example
 * topicMatches('order.*.eu', 'order.placed.eu'); // true
 * topicMatches('order.#', 'order'); // true
 */
import { MillraceError } from '../errors.ts';

/** The longest topic or pattern, in UTF-16 code units: that of an event's type. */
export const MAX_TOPIC_LENGTH = 256;

/** Whether a word of it is a wildcard. */
export function isTopicPattern(text: string): boolean {
  return (text.includes('*') || text.includes('#')) && text.split('.').some(isWildcard);
}

/** @throws MillraceError `topic.invalid` for an empty word, a wildcard, or too long a topic. */
export function checkTopic(topic: string): void {
  checkLength(topic);
  const at = topic.split('.').findIndex((word) => word === '' || isWildcard(word));
  if (at !== -1)
    throw invalidTopic(topic, 'a topic is words without wildcards, joined by single dots', at);
}

/**
 * The pattern's words; of wildcards in a row `#` is kept once and comes last, which means the same.
 *
 * @throws MillraceError `topic.invalid` for an empty word, a wildcard inside a word, or too long a pattern.
 */
export function parseTopicPattern(pattern: string): readonly string[] {
  checkLength(pattern);
  const words = pattern.split('.');
  const empty = words.indexOf('');
  if (empty !== -1)
    throw invalidTopic(pattern, 'it has an empty word: join words by single dots', empty);
  const mixed = words.findIndex((word) => !isWildcard(word) && /[*#]/.test(word));
  if (mixed !== -1) throw invalidTopic(pattern, '* and # stand for whole words: use a filter', mixed);
  return normalize(words);
}

/** @throws MillraceError as `parseTopicPattern` does. Takes time in the product of both lengths, at the worst. */
export function topicMatches(pattern: string, topic: string): boolean {
  return wordsMatch(parseTopicPattern(pattern), topic.split('.'));
}

/** Goes back to the last `#` alone: an earlier one could take no words that the last cannot. */
function wordsMatch(pattern: readonly string[], words: readonly string[]): boolean {
  let at = 0;
  let retryAt = -1;
  let retryWord = 0;
  for (let word = 0; word < words.length;) {
    const part = pattern[at];
    if (part === '#') {
      retryAt = ++at;
      retryWord = word;
    } else if (part === '*' || part === words[word]) {
      at++;
      word++;
    } else if (retryAt !== -1) {
      at = retryAt;
      word = ++retryWord;
    } else return false;
  }
  return at === pattern.length || (at === pattern.length - 1 && pattern[at] === '#');
}

function normalize(words: readonly string[]): readonly string[] {
  const kept: string[] = [];
  let many = false;
  for (const word of words) {
    if (word === '#') many = true;
    else {
      if (many && word !== '*') {
        kept.push('#');
        many = false;
      }
      kept.push(word);
    }
  }
  if (many) kept.push('#');
  return kept;
}

function isWildcard(word: string): boolean {
  return word === '*' || word === '#';
}

function checkLength(topic: unknown): void {
  if (typeof topic !== 'string' || topic === '')
    throw invalidTopic(String(topic), 'it must be a non-empty string');
  if (topic.length <= MAX_TOPIC_LENGTH) return;
  throw invalidTopic(topic.slice(0, 80), `it is ${topic.length} long, the limit is ${MAX_TOPIC_LENGTH}`);
}

function invalidTopic(topic: string, reason: string, word?: number): MillraceError<'topic.invalid'> {
  const place = word === undefined ? '' : `, at word ${word + 1}`;
  const details = { topic, reason, ...(word !== undefined && { word }) };
  return new MillraceError(
    'topic.invalid',
    `topic ${JSON.stringify(topic)}: ${reason}${place}`,
    details,
  );
}
