/** All of a log's values below a prefix, however many. */
import type { ListOptions, Storage, StoredValue } from './storage.ts';

/** Those of keys greater than `after`, a page at a time: what is put or removed behind a page is seen by the next. */
export async function* listPages(
  storage: Storage,
  prefix: string,
  { after = '', limit = 500 }: ListOptions = {},
): AsyncGenerator<readonly (readonly [key: string, value: StoredValue])[]> {
  for (let last = after; ;) {
    const page = await storage.list(prefix, { after: last, limit });
    yield page;
    if (page.length < limit) return;
    last = page.at(-1)![0];
  }
}
