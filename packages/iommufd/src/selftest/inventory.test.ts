import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FIXTURES } from './inventory.ts';

const HERE = new URL('.', import.meta.url);
const FILES = readdirSync(HERE).filter((file) => file.endsWith('.test.ts') && !file.startsWith('inventory'));

/** Tests of all files that are about a fixture: its own, and those that say what of it they hold. */
function testsOf(fixture: string): string[] {
  return FILES.filter((file) => file.split('.')[0] === fixture).flatMap((file) =>
    [...readFileSync(new URL(file, HERE), 'utf8').matchAll(/\btest(?:\.skipIf\([^)]*\))?\(\s*'(\w+)'/g)].map(
      ([, name]) => name,
    ),
  );
}

test.each(FIXTURES.map(({ name, tests }) => [name, Object.keys(tests)] as const))(
  'each behaviour of %s has its test, and each test its behaviour',
  (name, behaviours) => {
    expect(testsOf(name).sort()).toEqual([...behaviours].sort());
  },
);

test('every file is about a fixture', () => {
  const names = FIXTURES.map(({ name }) => name);
  expect(FILES.filter((file) => !names.includes(file.split('.')[0]))).toEqual([]);
});
