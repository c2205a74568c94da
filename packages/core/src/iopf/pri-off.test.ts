import { describe, expect, test } from 'vitest';
import { RCU_REGION } from '../actor/actor-regions.ts';
import { RcuThread } from '../sync/index.ts';
import { attachDomain } from './attach.ts';
import { allocDomain } from './domain.ts';
import { GENERATIONS } from './generations/index.ts';
import { HANDLER_NONE, HANDLER_NOOP } from './layout.ts';
import { priOffSteps } from './pri-off.ts';
import { RESPONSE_INVALID } from './record.ts';
import { OneThread } from './testing/bench-system.ts';

test('lockless: what a worker still holds is answered at its step, before the answers are fenced and the parameter goes', async () => {
  const one = new OneThread('lockless');
  const { system, path } = one;
  const blockedDomain = allocDomain(system, { handler: HANDLER_NONE });
  attachDomain(system, 1, 0, allocDomain(system, { handler: HANDLER_NOOP }));
  path.addDevice(1);
  one.report({ grpid: 5 });
  const [held] = one.take();
  const seen: string[] = [];
  const note = (step: string) => async () => {
    seen.push(`${step}: ${one.ops.answers.length} answered`);
  };
  const driver = {
    blockDevice: note('block'),
    fenceEventQueue: note('fence events'),
    fenceResponses: note('fence responses'),
    disablePri: note('off'),
  };
  const steps = priOffSteps({ system, path, driver, device: 1, pasids: [0], blockedDomain });
  system.reader.offline(); // this thread waits below, and reports no more
  await steps.replaceDomain();
  await steps.fenceEventQueue();
  await steps.respondPending();
  await steps.fenceResponses();
  const off = steps.disablePri();
  await new Promise((resolve) => setImmediate(resolve));
  expect(one.finish(held)).toBe(false); // the holder is late, and its letting go lets the parameter go
  await off;
  expect(seen).toEqual([
    'block: 0 answered',
    'fence events: 0 answered',
    'fence responses: 1 answered',
    'off: 1 answered',
  ]);
  expect(one.ops.answers).toEqual([{ device: 1, grpid: 5, code: RESPONSE_INVALID }]);
  expect(system.params.live()).toBe(0);
});

describe.each(GENERATIONS.filter((generation) => generation !== 'locked' && generation !== 'v7'))(
  '%s',
  (generation) => {
    test.each(['split', 'shared'] as const)(
      'a fault_param outlives a reader that may have found it (%s)',
      (sharing) => {
        const one = new OneThread(generation, { sharing });
        const other = new RcuThread(one.system.words, one.arena.base(RCU_REGION), { id: 2, spins: 0 });
        one.path.addDevice(1);
        other.online();
        one.path.removeDevice(1);
        one.settle();
        expect(one.path.isReleased()).toBe(false);
        other.quiescent();
        one.settle();
        expect(one.path.isReleased()).toBe(true);
      },
    );
  },
);
