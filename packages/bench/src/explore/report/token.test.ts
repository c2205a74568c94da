import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeToken, encodeToken, type Token } from './token.ts';

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 });
const run = fc.tuple(fc.nat({ max: 25 }), fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 1e9 })));
const token: fc.Arbitrary<Token> = fc.record({
  scenario: name,
  design: name,
  schedule: fc.array(run),
  digest: fc.maxSafeInteger().map((value) => value + 0),
});
const encode = ({ scenario, design, schedule, digest }: Token): string =>
  encodeToken(scenario, design, schedule, digest);
const SCHEDULE = [
  [0, 12],
  [1, 3],
  [0, 1],
] as const;
const MUTEX = 'v1:structures/mutex@as+shipped:a12b3a:9f3c21:2a88';

test('reads like what it replays, and stays the same from run to run', () => {
  expect(encodeToken('structures/mutex', 'as shipped', SCHEDULE, 0x9f3c21)).toBe(MUTEX);
  expect(decodeToken(MUTEX)).toEqual({
    scenario: 'structures/mutex',
    design: 'as shipped',
    schedule: SCHEDULE,
    digest: 0x9f3c21,
  });
});

test('any token decodes to what was encoded', () => {
  fc.assert(
    fc.property(token, (any) => {
      expect(decodeToken(encode(any))).toEqual(any);
    }),
  );
});

test('any word that decodes is the word that its content encodes to', () => {
  const part = fc.stringMatching(/^[a-z0-9+.@:/-]{0,6}$/);
  fc.assert(
    fc.property(token, part, fc.nat(), (any, noise, at) => {
      const word = encode(any);
      const cut = at % word.length;
      const changed = word.slice(0, cut) + noise + word.slice(cut + noise.length);
      let read: Token;
      try {
        read = decodeToken(changed);
      } catch {
        return;
      }
      expect(encode(read)).toBe(changed);
    }),
    { numRuns: 2000 },
  );
});

test('is one word in a shell, unquoted', () => {
  const design = `it's "two", \`now\` $HOME & * ? [a] {b,c} ~ ! \\ ; | < > ( ) # % = \n é 🦀`;
  const word = encodeToken('a b', design, [[0, 1]], 1);
  expect(word).toMatch(/^[\w/+.:@-]+$/);
  expect(execFileSync('sh', ['-c', `printf '[%s]' ${word}`], { encoding: 'utf8' })).toBe(`[${word}]`);
});

test('a schedule without a step has a token too', () => {
  expect(decodeToken(encodeToken('s', 'd', [], 0)).schedule).toEqual([]);
});

test.each([
  ['', 'token', 'must be v1:scenario@design:schedule:digest:sum, and whole'],
  ['structures/mutex', 'token', 'must be v1:'],
  [MUTEX.slice(0, 30), 'token', 'must be v1:'],
  [MUTEX.replace('v1', 'v2'), 'version', 'this release reads v1'],
  ['v1:@d:a:1:0000', 'scenario', 'is no name'],
  ['v1:s@a b:a:1:0000', 'design', 'is no name'],
  ['v1:s@.zz.:a:1:0000', 'design', 'is no name'],
  ['v1:s@d:a0b:1:0000', 'schedule', 'must be letters'],
  ['v1:s@d::1:0000', 'schedule', 'must be letters'],
  ['v1:s@d:a:g:0000', 'digest', 'must be a hexadecimal number'],
  [MUTEX.slice(0, -1), 'sum', 'part of the token was lost'],
  [MUTEX.replace('a12', 'a13'), 'sum', 'part of the token was lost'],
])('%s: refused, naming %s', (word, field, why) => {
  expect(() => decodeToken(word)).toThrow(expect.objectContaining({ code: 'EINVAL', call: 'decodeToken', field }));
  expect(() => decodeToken(word)).toThrow(why);
});

test('white space around a pasted token does no harm', () => {
  expect(decodeToken(` ${MUTEX}\n`)).toEqual(decodeToken(MUTEX));
});

test.each([
  ['scenario', ['', 'd', [], 0]],
  ['design', ['s', '', [], 0]],
  ['thread', ['s', 'd', [[26, 1]], 0]],
  ['steps', ['s', 'd', [[0, 0]], 0]],
  ['digest', ['s', 'd', [], 0.5]],
] as const)('what no token can hold is refused: %s', (field, [scenario, design, schedule, digest]) => {
  expect(() => encodeToken(scenario, design, schedule, digest)).toThrow(expect.objectContaining({ field }));
});
