/** For each test of a file: an edge of its own, and a browser on a profile of its own. Both are gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { startEdge, type EdgeProcess } from '../../demo/edge-process.ts';
import { launchBrowser, type KillableBrowser } from './browser.ts';

/** Those of the test that runs. */
export interface Device {
  edge: EdgeProcess;
  browser: KillableBrowser;
}

export function useDevice(): Device {
  const device = {} as Device;
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-device-'));
    device.edge = await startEdge({ stateDir: join(folder, 'state'), quiet: true });
    device.browser = await launchBrowser(join(folder, 'profile'));
  });
  afterEach(async () => {
    await device.browser.kill();
    await device.edge.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  return device;
}
