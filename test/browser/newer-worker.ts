/** The worker as of a later version, whose database has the next layout. */
import '../../workers/browser/worker.ts';

const { open } = IDBFactory.prototype;

IDBFactory.prototype.open = function (name, version = 1) {
  return open.call(this, name, version + 1);
};
