import { setImmediate as immediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inTurn } from './in-turn.ts';

test('steps run one after the other, in the order they were asked for; one that fails ends alone', async () => {
  const turn = inTurn();
  const log: string[] = [];
  const step = (name: string, fails = false) =>
    turn(async () => {
      log.push(`${name} begins`);
      await immediate();
      log.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const all = await Promise.allSettled([step('a'), step('b', true), step('c')]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});
