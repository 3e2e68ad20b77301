/** `npm start`, as the README says it: one line, and there is a page and an edge; Ctrl-C, and nothing is left. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

test('npm start serves the page and the edge, keeps its state, and Ctrl-C ends all of it', async () => {
  const state = mkdtempSync(join(tmpdir(), 'millrace-start-'));
  const port = await freePort();
  const url = `http://localhost:${port}`;
  try {
    await whileRunning(port, state, async () => {
      expect(await (await fetch(url)).text()).toContain('<title>');
      const published = await fetch(`${url}/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ id: 'first', type: 'order.placed', data: { total: 30 }, source: 'test' }),
      });
      expect(await published.json()).toMatchObject({ event_id: 'first', status: 'published' });
    });
    await expect(fetch(url)).rejects.toThrow('fetch failed');
    await whileRunning(port, state, async () => {
      expect(await (await fetch(`${url}/events/first`)).json()).toMatchObject({
        id: 'first',
        data: { total: 30 },
      });
    });
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
});

/** Runs `npm start` until it says that it is running, then the test, then presses Ctrl-C and waits for its end. */
async function whileRunning(port: number, state: string, run: () => Promise<void>): Promise<void> {
  const child = spawn('npm', ['start'], {
    cwd: join(import.meta.dirname, '..', '..'),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PORT: String(port), MILLRACE_STATE: state },
  });
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  let output = '';
  const said = new Promise<void>((done, fail) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes(`http://localhost:${port}`)) done();
    });
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    void exited.then(() => fail(new Error(`npm start ended early:\n${output}`)));
  });
  try {
    await said;
    await run();
  } finally {
    // Ctrl-C in a terminal goes to the whole foreground group.
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGINT');
    await exited;
  }
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => done(port));
    });
  });
}
