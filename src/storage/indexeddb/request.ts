/**
 * IndexedDB by promises, and nothing more: `idb` puts a proxy around every object, which is a fifth of a worker's size
 * and a good part of a small transaction's time.
 *
 * A transaction stays open across an `await` of a request of its own, and of nothing else.
 */

/** What the request gives. */
export function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Resolves once all of the transaction is down, and rejects where none of it is. */
export function completion(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () =>
      reject(transaction.error ?? new DOMException('the transaction was aborted', 'AbortError'));
  });
}

/** What the cursor finds, one after another, until there are no more or `take` has enough. */
export function walk<Cursor extends IDBCursor>(
  request: IDBRequest<Cursor | null>,
  take: (cursor: Cursor) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor !== null && take(cursor)) cursor.continue();
      else resolve();
    };
  });
}
