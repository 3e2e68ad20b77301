import { expect, it } from 'vitest';
import { hasCode } from '../../src/errors.ts';
import { Admission } from '../../workers/edge/admission.ts';

const refused = async (task: Promise<unknown>) =>
  hasCode(await task.catch((error: unknown) => error), 'shard.busy');

it('lets no more wait than its bounds, in requests and in characters, and lets in again what leaves', async () => {
  const admission = new Admission({ requests: 2, characters: 10 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const wait = (line: string) => admission.hold([line], () => promise);
  const held = [wait('123456')];
  expect(await refused(wait('12345'))).toBe(true);
  held.push(wait('1234'));
  expect(await refused(wait(''))).toBe(true);
  resolve();
  await Promise.all(held);
  expect(await refused(wait('12345'))).toBe(false);
});

it('lets one in however long it is, and counts a failure as gone', async () => {
  const admission = new Admission({ requests: 1, characters: 1 });
  const failing = admission.hold(['123'], () => Promise.reject(new Error('broken')));
  await expect(failing).rejects.toThrow('broken');
  expect(await admission.hold(['12345'], async () => 'in')).toBe('in');
});
