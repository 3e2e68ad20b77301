/** The worker that ends, as if it were killed, when its journal has written the second part of what it brings back. */
import '../../workers/browser/worker.ts';

interface Handle {
  write(bytes: Uint8Array, options: { at: number }): number;
}

const { FileSystemSyncAccessHandle } = globalThis as unknown as {
  FileSystemSyncAccessHandle: { readonly prototype: Handle };
};
const { write } = FileSystemSyncAccessHandle.prototype;
let writes = 0;

FileSystemSyncAccessHandle.prototype.write = function (bytes, options) {
  const written = write.call(this, bytes, options);
  if (new TextDecoder().decode(bytes).includes('page.viewed') && ++writes === 2) {
    new BroadcastChannel('killed').postMessage('');
    close();
  }
  return written;
};
