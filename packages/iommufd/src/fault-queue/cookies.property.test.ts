import { RESPONSE_INVALID, RESPONSE_SUCCESS } from '@faultline/core/iopf';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OneThread, VARIANTS } from '../testing/one-thread.test-help.ts';

type Step =
  | { readonly do: 'report' }
  | { readonly do: 'read' }
  | { readonly do: 'respond'; readonly pick: number; readonly code: 0 | 1 }
  | { readonly do: 'repeat'; readonly pick: number }
  | { readonly do: 'invent'; readonly cookie: number }
  | { readonly do: 'alter'; readonly pick: number; readonly bit: number };

const pick = fc.nat(1000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ do: 'report' }) },
  { weight: 3, arbitrary: fc.constant<Step>({ do: 'read' }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('respond' as const), pick, code: fc.constantFrom(0, 1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('invent' as const), cookie: fc.integer() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('alter' as const), pick, bit: fc.nat(30) }) },
) as fc.Arbitrary<Step>;

// Against a model: a map of the cookies that are out, and the set of those that were.
test.each(VARIANTS)('%s (%s): only a cookie that is out answers, and only its own group', (...variant) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const one = new OneThread(variant);
      const { queue, ops } = one;
      const out = new Map<number, number>();
      const used: number[] = [];
      let grpid = 0;
      let waiting = 0;
      const tryCookie = (cookie: number, code: 0 | 1): void => {
        const expected = out.get(cookie);
        const before = ops.answers.length;
        if (expected === undefined) {
          expect(() => queue.respond(cookie, code)).toThrow(`FaultQueue.respond: cookie = ${cookie}`);
          expect(ops.answers).toHaveLength(before);
          return;
        }
        expect(queue.respond(cookie, code)).toBe(true);
        expect(ops.answers.slice(before)).toEqual([{ device: 1, grpid: expected, code }]);
        out.delete(cookie);
        used.push(cookie);
      };
      const oneOf = (cookies: readonly number[], at: number): number => cookies[at % cookies.length] ?? 0;
      for (const each of steps) {
        if (each.do === 'report') {
          if (waiting === 16) continue;
          one.report({ grpid: grpid++ });
          waiting++;
        } else if (each.do === 'read') {
          const cookie = queue.next();
          expect(cookie === 0).toBe(waiting === 0);
          if (cookie === 0) continue;
          expect(out.has(cookie) || used.includes(cookie)).toBe(false);
          expect(queue.fault.grpid).toBe(grpid - waiting);
          out.set(cookie, queue.fault.grpid);
          waiting--;
        } else if (each.do === 'respond') tryCookie(oneOf([...out.keys()], each.pick), each.code);
        else if (each.do === 'repeat') tryCookie(oneOf(used, each.pick), RESPONSE_SUCCESS);
        else if (each.do === 'invent') tryCookie(each.cookie, RESPONSE_INVALID);
        else tryCookie(oneOf([...out.keys()], each.pick) ^ (1 << each.bit), RESPONSE_SUCCESS);
      }
      for (const cookie of [...out.keys(), ...one.read()]) expect(queue.respond(cookie, RESPONSE_SUCCESS)).toBe(true);
      expect(ops.answers.map((answer) => answer.grpid).sort((a, b) => a - b)).toEqual(
        Array.from({ length: grpid }, (_, i) => i),
      );
      one.expectNothingLeft();
    }),
    { numRuns: 60 },
  );
});
