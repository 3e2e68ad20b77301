/** The id of a letter whose event failed at a place: the same event failing there again has the same. */
import { hashText } from '../segments/hash.ts';
import { isStorableText } from '../../event/text.ts';

/** A storage's key has room for 512 characters, of which an event's id may take 128, each escaped. */
const MAX_PLACE = 100;
const KEPT = 60;

/** Sorts by the event's id, which rises with time where it is a UUIDv7. */
export function letterId(event: string, ...place: readonly string[]): string {
  const where = place.map(escaped).join('/');
  return `${shortened(escaped(event), 140)}/${shortened(where, MAX_PLACE)}`;
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('/', '%2f');
}

function shortened(text: string, most: number): string {
  if (text.length <= most && isStorableText(text)) return text;
  const start = text.slice(0, KEPT).replaceAll('\0', '').toWellFormed();
  return `${start}~${hashText(text).toString(36)}-${hashText(`~${text}`).toString(36)}`;
}
