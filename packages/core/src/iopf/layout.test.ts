import { expect, test } from 'vitest';
import { POISON } from '../memory/index.ts';
import {
  GROUP_ANSWERED,
  GROUP_IDLE,
  GROUP_PENDING,
  GROUP_VOID,
  groupDomainOf,
  groupParamOf,
  groupStateOf,
  MAX_INDEX,
  packGroupState,
} from './layout.ts';

test.each([GROUP_IDLE, GROUP_PENDING, GROUP_ANSWERED, GROUP_VOID])(
  'a state word holds state %i and both indices',
  (state) => {
    for (const domain of [0, 1, MAX_INDEX])
      for (const param of [0, 1, MAX_INDEX]) {
        const word = packGroupState(state, domain, param) | 0; // as shared memory gives it back
        expect([groupStateOf(word), groupDomainOf(word), groupParamOf(word)]).toEqual([state, domain, param]);
      }
  },
);

test('a freed request that was written over is no group that waits for its answer', () => {
  expect(groupStateOf(POISON)).not.toBe(GROUP_PENDING);
});
