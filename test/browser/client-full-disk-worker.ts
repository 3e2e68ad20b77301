/** The worker on a disk that is full for the first three writes. */
import '../../workers/browser/worker.ts';

const { transaction } = IDBDatabase.prototype;
let failures = 3;

IDBDatabase.prototype.transaction = function (stores, mode, options) {
  if (mode === 'readwrite' && failures-- > 0)
    throw new DOMException('the disk is full', 'QuotaExceededError');
  return transaction.call(this, stores, mode, options);
};
