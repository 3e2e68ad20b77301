/** How texts and lists are bound to statements. */

/**
 * A key as UTF-16, most significant byte first: SQLite compares blobs byte by byte, so that keys sort by code unit, as
 * they do in IndexedDB and in JavaScript. As text they would sort by code point.
 */
export function encodeKey(key: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(key.length * 2);
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    bytes[2 * i] = unit >>> 8;
    bytes[2 * i + 1] = unit & 0xff;
  }
  return bytes;
}

export function decodeKey(blob: Uint8Array<ArrayBuffer> | ArrayBuffer): string {
  const bytes = new Uint8Array(blob);
  let key = '';
  for (let i = 0; i < bytes.length; i += 2) key += String.fromCharCode((bytes[i]! << 8) | bytes[i + 1]!);
  return key;
}

/** A binding of a Durable Object ends at 2 MB; a UTF-16 code unit takes three bytes at the most. */
const MOST_CHARACTERS = 400_000;

/** The items as JSON arrays, each within the bound. None for no items. */
export function jsonLists(items: readonly unknown[]): readonly string[] {
  const lists: string[] = [];
  let list = '';
  for (const item of items) {
    const json = JSON.stringify(item);
    if (list !== '' && list.length + json.length > MOST_CHARACTERS) {
      lists.push(`[${list}]`);
      list = '';
    }
    list += list === '' ? json : `,${json}`;
  }
  if (list !== '') lists.push(`[${list}]`);
  return lists;
}
