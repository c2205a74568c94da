import { expect, test } from 'vitest';
import { makeFinding } from './finding.test-data.ts';
import { makeCut, makeFailing, makeResult } from './result.test-data.ts';
import { jsonResultsSchema, toJson } from './results-json.ts';

test('has exactly the agreed fields, in their order', () => {
  expect(JSON.stringify(toJson([makeFailing(), makeCut()]))).toBe(
    '[{"scenario":"structures/mutex","seed":"000","design":"unlock notifies nobody","expected":"fails",' +
      '"found":"lost wake-up","schedules":17,"exhausted":false,"bound":"","steps":8,"seconds":0.0421,' +
      '"token":"v1:structures/mutex@unlock+notifies+nobody:ab3a4:9f3c21:0000"},' +
      '{"scenario":"structures/mutex","seed":"","design":"as shipped","expected":"holds",' +
      '"found":null,"schedules":200000,"exhausted":false,"bound":"200000 schedules","steps":22,"seconds":41.2,"token":null}]',
  );
});

test('survives being written and read', () => {
  const json = toJson([makeResult(), makeFailing()]);
  expect(jsonResultsSchema.parse(JSON.parse(JSON.stringify(json)))).toEqual(json);
});

test.each([
  ['seconds that JSON cannot hold', makeResult({ seconds: Number.NaN })],
  ['half a schedule', makeResult({ schedules: 0.5 })],
  ['a design without a name', makeFailing({ design: '' })],
])('refuses %s', (_, result) => {
  expect(() => toJson([result])).toThrow();
});

test('refuses a field that was not agreed', () => {
  const [json] = toJson([makeResult()]);
  expect(jsonResultsSchema.safeParse([{ ...json, redundant: 3 }]).success).toBe(false);
  expect(jsonResultsSchema.safeParse([{ ...json, token: '' }]).success).toBe(false);
});

test('what was refused before it ran has no token', () => {
  const finding = makeFinding({ kind: 'refused', token: '', steps: [] });
  expect(toJson([makeFailing({ finding })])).toMatchObject([{ found: 'refused', steps: 0, token: null }]);
});
