import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadScenarios } from './load.ts';

const root = mkdtempSync(join(tmpdir(), 'faultline-scenarios-'));
afterAll(() => rmSync(root, { recursive: true }));

function folderOf(name: string, files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, name, path, '..'), { recursive: true });
    writeFileSync(join(root, name, path), text);
  }
  return join(root, name);
}

const scenario = (name: string): string =>
  `{ url: import.meta.url, spec: { name: '${name}', about: '?', source: '', memory: [], threads: {} } }`;

test('finds what the files export, in folders too, by name', async () => {
  const folder = folderOf('good', {
    'b.mjs.txt': 'not a module',
    'z/last.js': `export const first = ${scenario('a/first')}; export const help = () => 1; export const n = null;`,
    'a.js': `export const one = ${scenario('b/one')}; export const zero = one; export default 3;`,
    'a.test.js': 'throw new Error("a test is no scenario")',
    'a.d.ts': 'throw new Error("nor is a declaration")',
  });
  const found = await loadScenarios(folder);
  expect(found.map(({ scenario, exportName, file }) => [scenario.spec.name, exportName, file])).toEqual([
    ['a/first', 'first', join(folder, 'z/last.js')],
    ['b/one', 'one', join(folder, 'a.js')],
  ]);
});

test('two scenarios of one name are refused, naming both files', async () => {
  const folder = folderOf('twice', {
    'a.js': `export const x = ${scenario('same')}`,
    'b.js': `export const y = ${scenario('same')}`,
  });
  await expect(loadScenarios(folder)).rejects.toThrow(/named "same": in .*a\.js and in .*b\.js/);
});

test('a file that does not load is named', async () => {
  const folder = folderOf('broken', { 'a.js': 'throw new Error("no such region")' });
  await expect(loadScenarios(folder)).rejects.toThrow(/a\.js: cannot be loaded: no such region/);
});
