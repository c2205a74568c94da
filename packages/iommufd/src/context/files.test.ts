import { expect, test } from 'vitest';
import { faultQueueAlloc } from '../fault-queue/alloc.ts';
import { ObjectTable } from '../objects/index.ts';
import { MOCK_VEVENTQ_TYPE } from '../testing/mock/index.ts';
import { refusalOf } from '../testing/rig.test-help.ts';
import { defaultArgs } from '../uapi/index.ts';
import { veventqAlloc } from '../veventq/alloc.ts';
import { makeViommuRig } from '../viommu/viommu.test-help.ts';

test('a new descriptor is nobody’s before its object is there, and never when the answer cannot be written', () => {
  const rig = makeViommuRig();
  const { context, lab } = rig;
  const caller = lab.caller(1);
  const { files } = caller;
  const viommuId = rig.allocViommu();
  const FIRST_FD = 3;
  /** What another thread is told that closes the descriptor before it was told of. */
  const early: string[] = [];
  const look = (): void => void early.push(refusalOf(() => files.close(FIRST_FD)));
  const { finalize } = ObjectTable.prototype;
  ObjectTable.prototype.finalize = function (object) {
    look();
    return finalize.call(this, object);
  };
  try {
    for (const fails of [true, false]) {
      const respond = (): void => {
        look();
        if (fails) throw new Error('not written');
      };
      const call = { caller, respond, result: 0 };
      const faults = { ...defaultArgs(faultQueueAlloc.struct) };
      const events = { ...defaultArgs(veventqAlloc.struct), viommuId, type: MOCK_VEVENTQ_TYPE, veventqDepth: 2 };
      for (const [run, args] of [
        [() => faultQueueAlloc.run(context, { ...call, args: faults }), () => faults.outFaultFd],
        [() => veventqAlloc.run(context, { ...call, args: events }), () => events.outVeventqFd],
      ] as const) {
        if (fails) expect(run).toThrow('not written');
        else {
          run();
          expect(args()).toBe(FIRST_FD);
          files.close(args());
        }
        expect(files.count()).toBe(0);
      }
    }
  } finally {
    ObjectTable.prototype.finalize = finalize;
  }
  expect(early).toEqual(Array.from({ length: 6 }, () => 'EBADF fd')); // two that fail, two answered and published
  expect(lab.machine.live().files).toBe(0);
});
