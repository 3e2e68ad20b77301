/** The README's table of routes says what the table of access does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { accessTable, accessTo } from '../../workers/edge/access/access-table.ts';

test('the README says who may call what', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
  const rows = [...readme.matchAll(/^\| (`[A-Z]+ \/.*?) \| ([a-z, ]+) \|.*$/gm)];
  const said = new Map<string, string>();
  for (const [, routes, scopes] of rows)
    for (const [, route] of routes!.matchAll(/`([A-Z]+ \/[^`]*)`/g)) said.set(route!, scopes!);
  for (const [route, scopes] of said)
    expect([route, [accessTo(route)].flat().join(', ')]).toEqual([route, scopes]);
  const unsaid = Object.keys(accessTable).filter((route) => !said.has(route));
  expect(unsaid).toEqual(expect.arrayContaining(['GET /sync/head']));
  expect(unsaid.filter((route) => !/ \/(?:sync|page-keys)/.test(route))).toEqual([]);
});
