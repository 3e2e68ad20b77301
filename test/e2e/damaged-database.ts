/** Damages what a browser that does not run has of its databases on disk, so that it throws them away when it opens them next. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Flips bits in the middle of LevelDB's logs. */
export function damageDatabases(profile: string): void {
  const folder = join(profile, 'Default', 'IndexedDB');
  // Killed before it had any.
  if (!existsSync(folder)) return;
  const logs = (readdirSync(folder, { recursive: true }) as string[]).filter((name) =>
    name.endsWith('.log'),
  );
  for (const file of logs.map((name) => join(folder, name))) {
    const bytes = readFileSync(file);
    if (bytes.length === 0) continue;
    bytes[bytes.length >> 1]! ^= 0x55;
    writeFileSync(file, bytes);
  }
}
