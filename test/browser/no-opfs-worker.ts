/** The worker where there is no private file system, as in an older browser. */
import '../../workers/browser/worker.ts';

StorageManager.prototype.getDirectory = () =>
  Promise.reject(new DOMException('not here', 'SecurityError'));
