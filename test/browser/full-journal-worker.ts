/** The worker whose journal’s writes of events fall short, for want of room, from the second until it is told of some. */
import '../../workers/browser/worker.ts';

interface Handle {
  write(bytes: Uint8Array, options: { at: number }): number;
}

const { FileSystemSyncAccessHandle } = globalThis as unknown as {
  FileSystemSyncAccessHandle: { readonly prototype: Handle };
};
const { write } = FileSystemSyncAccessHandle.prototype;
let writes = 0;
let full = true;

new BroadcastChannel('room').addEventListener('message', () => (full = false));

FileSystemSyncAccessHandle.prototype.write = function (bytes, options) {
  const ofEvents = new TextDecoder().decode(bytes).includes('page.viewed');
  return write.call(this, ofEvents && ++writes >= 2 && full ? bytes.subarray(0, 50) : bytes, options);
};
