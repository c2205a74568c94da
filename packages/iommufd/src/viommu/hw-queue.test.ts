import { describe, expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { detachDevice, unbindDevice } from '../device/index.ts';
import { MOCK_HW_QUEUE_TYPE } from '../testing/mock/index.ts';
import { refusalOf } from '../testing/rig.test-help.ts';
import { type Args, HW_QUEUE_ALLOC, IOAS_MAP_READABLE, IOAS_MAP_WRITEABLE, IOAS_UNMAP } from '../uapi/index.ts';
import { BASE, makeViommuRig } from './viommu.test-help.ts';

const PAGE = BigInt(PAGE_BYTES);

function queueRig() {
  const rig = makeViommuRig();
  const viommuId = rig.allocViommu();
  // Four areas of a page and one of two, of memory that is in one piece.
  const address = rig.memory.mmap(8 * PAGE_BYTES, { huge: true });
  for (const i of [0n, 1n, 2n, 3n]) rig.map(BASE + i * PAGE, address + i * PAGE, PAGE_BYTES);
  rig.map(BASE + 4n * PAGE, address + 4n * PAGE, 2 * PAGE_BYTES);
  const args = (more: Partial<Args<typeof HW_QUEUE_ALLOC>> = {}): Partial<Args<typeof HW_QUEUE_ALLOC>> => ({
    viommuId,
    type: MOCK_HW_QUEUE_TYPE,
    nestingParentIova: BASE,
    length: PAGE,
    ...more,
  });
  return {
    ...rig,
    viommuId,
    address,
    alloc: (more: Partial<Args<typeof HW_QUEUE_ALLOC>> = {}): number =>
      rig.call(HW_QUEUE_ALLOC, args(more)).outHwQueueId,
    refused: (more: Partial<Args<typeof HW_QUEUE_ALLOC>> = {}): string => rig.refusal(HW_QUEUE_ALLOC, args(more)),
    unmap: (iova: bigint, length: bigint): string => rig.refusal(IOAS_UNMAP, { ioasId: rig.ioasId, iova, length }),
  };
}

describe('hw_queue', () => {
  test('what HW_QUEUE_ALLOC refuses before it looks at memory, in its order', () => {
    const { refused, viommuId, parentId } = queueRig();
    expect(viommuId).not.toBe(0);
    expect(refused({ flags: 1, length: 0n })).toBe('EOPNOTSUPP flags');
    expect(refused({ type: 0, length: 0n })).toBe('EOPNOTSUPP type');
    expect(refused({ length: 0n, viommuId: 99 })).toBe('EINVAL length');
    expect(refused({ nestingParentIova: 2n ** 64n - PAGE, length: PAGE + 1n, viommuId: 99 })).toBe(
      'EOVERFLOW nesting_parent_iova',
    );
    expect(refused({ viommuId: 99, type: 1 })).toBe('ENOENT viommu_id');
    expect(refused({ viommuId: parentId })).toBe('ENOENT viommu_id');
    expect(refused({ type: 1, nestingParentIova: 0n })).toBe('EOPNOTSUPP type');
    expect(refused({ nestingParentIova: 0n, length: 2n ** 64n - 1n })).toBe('ERANGE length');
    expect(refused({ nestingParentIova: 1n, length: 2n ** 64n - PAGE })).toBe('ERANGE length');
  });

  test('memory that is not mapped, not readable, not in one piece', () => {
    const rig = queueRig();
    const { refused, memory, lab } = rig;
    expect(refused({ nestingParentIova: 0n })).toBe('ENOENT nesting_parent_iova');
    expect(refused({ length: 7n * PAGE })).toBe('ENOENT nesting_parent_iova');
    rig.map(BASE + 16n * PAGE, rig.page, PAGE_BYTES, IOAS_MAP_WRITEABLE);
    expect(refused({ nestingParentIova: BASE + 16n * PAGE })).toBe('EPERM nesting_parent_iova');
    const [one, two] = [memory.mmap(PAGE_BYTES), memory.mmap(PAGE_BYTES)];
    rig.map(BASE + 32n * PAGE, two, PAGE_BYTES, IOAS_MAP_READABLE);
    rig.map(BASE + 33n * PAGE, one, PAGE_BYTES, IOAS_MAP_READABLE);
    expect(refused({ nestingParentIova: BASE + 32n * PAGE, length: 2n * PAGE })).toBe('EFAULT nesting_parent_iova');
    // From one page into the next is two pages.
    expect(refused({ nestingParentIova: BASE + 32n * PAGE + 8n })).toBe('EFAULT nesting_parent_iova');
    const pinned = lab.ram.pinned();
    expect(refused({ nestingParentIova: BASE + 33n * PAGE })).toBe('');
    expect(lab.ram.pinned()).toBe(pinned); // by the page tables already
    expect(lab.machine.live().pins).toBe(1);
  });

  test('indices: from 0, one each, none before the one below', () => {
    const { refused, alloc, destroy } = queueRig();
    expect(refused({ index: 2 })).toBe('EINVAL index');
    expect(refused({ index: 2 ** 32 - 1 })).toBe('EINVAL index');
    expect(refused({ index: 1 })).toBe('EIO index');
    const first = alloc();
    expect(refused()).toBe('EEXIST index');
    const second = alloc({ index: 1, nestingParentIova: BASE + PAGE });
    expect(refused({ index: 1 })).toBe('EEXIST index');
    expect(refusalOf(() => destroy(first))).toBe('EBUSY id');
    destroy(second);
    destroy(first);
    expect(refused({ index: 1 })).toBe('EIO index');
    expect(refused()).toBe('');
  });

  test('memory under a queue stays; beside it, and after it, it goes', () => {
    const rig = queueRig();
    const { alloc, unmap, destroy, context, lab } = rig;
    const queue = alloc({ nestingParentIova: BASE + PAGE, length: 2n * PAGE });
    for (const i of [1n, 2n]) expect(unmap(BASE + i * PAGE, PAGE)).toBe('EBUSY iova');
    expect(unmap(BASE + 3n * PAGE, PAGE)).toBe('');
    expect(unmap(BASE, PAGE)).toBe('');
    expect(unmap(BASE + PAGE, 2n * PAGE)).toBe('EBUSY iova');
    expect(unmap(BASE, 2n ** 64n - 1n - BASE)).toBe('EBUSY iova');
    expect(refusalOf(() => destroy(rig.viommuId))).toBe('EBUSY id');
    destroy(queue);
    for (const i of [1n, 2n]) expect(unmap(BASE + i * PAGE, PAGE)).toBe('');
    expect(unmap(BASE + 4n * PAGE, 2n * PAGE)).toBe('');
    expect(lab.machine.live()).toMatchObject({ areas: 0, pages: 0, pins: 0 });
    detachDevice(context, rig.devId);
    unbindDevice(context, rig.devId);
    rig.expectNothingLeft();
  });

  test('part of an area holds the area; an unmap that would cut it is refused for that first', () => {
    const { alloc, unmap, destroy } = queueRig();
    const queue = alloc({ nestingParentIova: BASE + 5n * PAGE, length: 16n });
    expect(unmap(BASE + 4n * PAGE, 2n * PAGE)).toBe('EBUSY iova');
    expect(unmap(BASE + 4n * PAGE, PAGE)).toBe('EBUSY iova');
    destroy(queue);
    expect(unmap(BASE + 4n * PAGE, PAGE)).toBe('ENOENT iova');
    expect(unmap(BASE + 4n * PAGE, 2n * PAGE)).toBe('');
  });

  test('two queues in one area: it stays until both are gone', () => {
    const { alloc, unmap, destroy } = queueRig();
    const first = alloc({ nestingParentIova: BASE + 4n * PAGE, length: 32n });
    const second = alloc({ nestingParentIova: BASE + 4n * PAGE + 32n, length: 32n, index: 1 });
    destroy(second);
    expect(unmap(BASE + 4n * PAGE, 2n * PAGE)).toBe('EBUSY iova');
    destroy(first);
    expect(unmap(BASE + 4n * PAGE, 2n * PAGE)).toBe('');
  });

  test('while there is a queue, what is mapped is whole pages', () => {
    const rig = queueRig();
    const { alloc, refused, destroy } = rig;
    const half = (): void => rig.map(BASE + 64n * PAGE, rig.page, PAGE_BYTES / 2);
    const queue = alloc();
    expect(refusalOf(half)).toMatch(/^EINVAL/);
    destroy(queue);
    half();
    expect(refused()).toBe('EADDRINUSE iova');
  });

  test('closing the context ends queues, the last first', () => {
    const rig = queueRig();
    rig.alloc();
    rig.alloc({ index: 1, nestingParentIova: BASE + PAGE });
    detachDevice(rig.context, rig.devId);
    unbindDevice(rig.context, rig.devId);
    rig.expectNothingLeft();
  });
});
