import { stripTypeScriptTypes } from 'node:module';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { makeFinding } from './finding.test-data.ts';
import { regressionTest } from './saved-test.ts';

const FROM = { importPath: '../../scenarios/structures/mutex.ts', exportName: 'counter' };

test('is a whole test file', () => {
  expect(regressionTest(makeFinding(), FROM)).toBe(`\
// lost wake-up: bob sleeps for ever on mutex.word, which alice has changed since
// See it: faultline explore structures/mutex --design "unlock notifies nobody" --replay v1:structures/mutex@unlock+notifies+nobody:ab3a4:9f3c21:0000
import { replayed } from '@faultline/bench/explore/vitest';
import { counter } from '../../scenarios/structures/mutex.ts';

replayed('structures/mutex, unlock notifies nobody: no lost wake-up any more', counter, 'v1:structures/mutex@unlock+notifies+nobody:ab3a4:9f3c21:0000');
`);
});

/** What the file would call. */
function run(source: string): unknown[][] {
  const calls: unknown[][] = [];
  const script = stripTypeScriptTypes(source)
    .replace(/^import \{ replayed \} from '.*';$/m, '')
    .replace(/^import \{ (?:\w+ as )?(\w+) \} from .*;$/m, "const $1 = 'the scenario';");
  runInNewContext(script, { replayed: (...values: unknown[]) => calls.push(values) });
  return calls;
}

test('says what it was told, whatever names and messages hold', () => {
  const design = `it's "bad"\\ \n \u2028 \${x} \`y\``;
  const finding = makeFinding({ design, message: 'first\nthrow new Error()\u2028throw 1\r\nthrow 2' });
  expect(run(regressionTest(finding, FROM))).toEqual([
    [`structures/mutex, ${design}: no lost wake-up any more`, 'the scenario', finding.token],
  ]);
});

test.each(['default', 'replayed'])('a scenario exported as %s gets another name', (exportName) => {
  const text = regressionTest(makeFinding(), { ...FROM, exportName });
  expect(text).toContain(`import { ${exportName} as saved } from`);
  expect(run(text)).toHaveLength(1);
});

test('what cannot be saved is refused', () => {
  expect(() => regressionTest(makeFinding(), { ...FROM, exportName: 'a b' })).toThrow('exportName = "a b"');
  expect(() => regressionTest(makeFinding({ token: '' }), FROM)).toThrow('no schedule to replay');
});
