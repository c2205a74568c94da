import { expect, test } from 'vitest';
import { makeCell, makeResult } from '../../test/cells.ts';
import { readEnvironment } from './environment.ts';
import { resultSchema } from './schema.ts';

test('a result comes back from JSON as it was', () => {
  const result = makeResult({ environment: readEnvironment() });
  expect(resultSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
});

test.each([
  ['another schemaVersion', { schemaVersion: 2 }, 'schemaVersion'],
  ['parameters that no run takes', { parameters: { ...makeResult().parameters, queueEntries: 100 } }, 'queueEntries'],
  ['an unknown generation', { cells: [{ ...makeCell(), generation: 'v8' }] }, 'generation'],
  ['a negative count', { cells: [{ ...makeCell(), faults: -1 }] }, 'faults'],
  ['bins out of order', { cells: [{ ...makeCell(), histogram: makeCell().histogram.reverse() }] }, 'histogram'],
])('refuses %s', (_, over, field) => {
  const parsed = resultSchema.safeParse({ ...makeResult(), ...over });
  expect(parsed.success).toBe(false);
  expect(parsed.error?.issues.some((issue) => issue.path.includes(field))).toBe(true);
});
