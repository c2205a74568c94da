import { describe, expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { COMMANDS } from '../context/index.ts';
import { detachDevice, replaceDevice, unbindDevice } from '../device/index.ts';
import { MOCK_DEV_CACHE_DEFAULT, MOCK_VIOMMU_INVALIDATE_TYPE, MOCK_VIOMMU_TYPE } from '../testing/mock/index.ts';
import { refusalOf } from '../testing/rig.test-help.ts';
import { type Args, HWPT_INVALIDATE, OBJ_VIOMMU, VDEVICE_ALLOC, VIOMMU_ALLOC } from '../uapi/index.ts';
import { virtualDevices } from './index.ts';
import { makeViommuRig, type ViommuRig } from './viommu.test-help.ts';

/** What a vIOMMU's driver finds under a number, 0 for nothing. */
function find({ context }: ViommuRig, viommuId: number, virtId: bigint): number {
  const viommu = context.objects.get('test', 'viommu_id', viommuId, OBJ_VIOMMU);
  let found = 0;
  virtualDevices(context, viommu).withDevice(virtId, (device) => {
    found = device;
  });
  context.objects.put(viommu);
  return found;
}

describe('vdevice_alloc', () => {
  test('one a device, one number a vIOMMU', () => {
    const rig = makeViommuRig();
    const { devId, refusal } = rig;
    const other = rig.bind(2);
    const viommuId = rig.allocViommu();
    const second = rig.allocViommu();
    expect(refusal(VDEVICE_ALLOC, { viommuId: 99, devId })).toBe('ENOENT viommu_id');
    expect(refusal(VDEVICE_ALLOC, { viommuId: rig.ioasId, devId })).toBe('ENOENT viommu_id');
    expect(refusal(VDEVICE_ALLOC, { viommuId, devId: viommuId })).toBe('ENOENT dev_id');
    const vdeviceId = rig.allocVdevice(viommuId, devId, 0x99n);
    expect(refusal(VDEVICE_ALLOC, { viommuId, devId, virtId: 0x99n })).toBe('EEXIST dev_id');
    expect(refusal(VDEVICE_ALLOC, { viommuId, devId, virtId: 0x98n })).toBe('EEXIST dev_id');
    expect(refusal(VDEVICE_ALLOC, { viommuId: second, devId, virtId: 1n })).toBe('EEXIST dev_id');
    expect(refusal(VDEVICE_ALLOC, { viommuId, devId: other, virtId: 0x99n })).toBe('EEXIST virt_id');
    rig.allocVdevice(second, other, 0x99n);
    expect([find(rig, viommuId, 0x99n), find(rig, second, 0x99n), find(rig, viommuId, 0x98n)]).toEqual([1, 2, 0]);
    rig.destroy(vdeviceId);
    expect(find(rig, viommuId, 0x99n)).toBe(0);
    rig.allocVdevice(viommuId, devId, 2n ** 64n - 1n);
    expect(find(rig, viommuId, 2n ** 64n - 1n)).toBe(1);
  });

  test('a device behind another IOMMU, and one that is going', () => {
    const rig = makeViommuRig();
    const { devId, refusal, lab } = rig;
    const viommuId = rig.allocViommu();
    const traits = lab.driver.traits.bind(lab.driver);
    lab.driver.traits = (device) => ({ ...traits(device), iommu: 2 });
    expect(refusal(VDEVICE_ALLOC, { viommuId, devId })).toBe('EINVAL dev_id');
    lab.driver.traits = traits;
    expect(refusal(VDEVICE_ALLOC, { viommuId, devId })).toBe('');
    detachDevice(rig.context, devId);
    unbindDevice(rig.context, devId);
    expect(refusal(VDEVICE_ALLOC, { viommuId, devId })).toBe('ENOENT dev_id');
  });

  test('its number finds nothing before the driver is done, and the driver is not asked for a number that is taken', () => {
    const rig = makeViommuRig();
    const { devId, lab } = rig;
    const viommuId = rig.allocViommu();
    const seen: number[] = [];
    lab.driver.allocVdevice = () => void seen.push(find(rig, viommuId, 7n));
    rig.allocVdevice(viommuId, devId, 7n);
    expect(seen).toEqual([0]);
    expect(find(rig, viommuId, 7n)).toBe(1);
    expect(rig.refusal(VDEVICE_ALLOC, { viommuId, devId: rig.bind(2), virtId: 7n })).toBe('EEXIST virt_id');
    expect(seen).toEqual([0]);
  });

  test('a driver that refuses leaves nothing', () => {
    const rig = makeViommuRig();
    const { devId, lab, refusal } = rig;
    const viommuId = rig.allocViommu();
    const alloc = lab.driver.allocVdevice.bind(lab.driver);
    lab.driver.allocVdevice = () => lab.driver.traits(3); // which is not there
    expect(refusal(VDEVICE_ALLOC, { viommuId, devId, virtId: 7n })).toBe('ENODEV device');
    lab.driver.allocVdevice = alloc;
    expect(refusal(VDEVICE_ALLOC, { viommuId, devId, virtId: 7n })).toBe('');
  });

  test('a nested HWPT of a vIOMMU is attached with a vdevice there, not without', () => {
    const rig = makeViommuRig();
    const { context, devId } = rig;
    const viommuId = rig.allocViommu();
    const ptId = rig.allocNested(viommuId);
    expect(refusalOf(() => replaceDevice(context, devId, { ptId }))).toBe('ENOENT dev_id');
    const elsewhere = rig.allocVdevice(rig.allocViommu(), devId, 1n);
    expect(refusalOf(() => replaceDevice(context, devId, { ptId }))).toBe('ENOENT dev_id');
    rig.destroy(elsewhere);
    rig.allocVdevice(viommuId, devId, 1n);
    expect(replaceDevice(context, devId, { ptId })).toBe(ptId);
  });
});

describe('vdevice_cache', () => {
  const DEFAULTS = Array.from({ length: 4 }, () => MOCK_DEV_CACHE_DEFAULT);
  type Entry = readonly [flags: number, vdevId: number, cacheId: number];

  function cacheRig() {
    const rig = makeViommuRig();
    const viommuId = rig.allocViommu();
    rig.allocVdevice(viommuId, rig.devId, 0x99n);
    const command = COMMANDS.find(({ struct }) => struct === HWPT_INVALIDATE);
    const invalidate = (
      entries: readonly Entry[],
      more: Partial<Args<typeof HWPT_INVALIDATE>> = {},
    ): { refusal: string; handled: number } => {
      const bytes = more.entryLen ?? 12;
      entries.forEach((entry, i) => {
        rig.writeWords(rig.page + BigInt(i * bytes), ...entry);
      });
      const type = { dataType: MOCK_VIOMMU_INVALIDATE_TYPE, entryLen: 12, entryNum: entries.length };
      const args = { hwptId: viommuId, dataUptr: rig.page, ...type, ...more };
      const refusal = refusalOf(() =>
        command?.run(rig.context, { caller: rig.lab.caller(1), args, respond() {} } as never),
      );
      return { refusal, handled: args.entryNum };
    };
    return { ...rig, viommuId, invalidate };
  }

  test('an entry, and all entries of a device', () => {
    const { invalidate, cacheOf } = cacheRig();
    expect(cacheOf(1)).toEqual(DEFAULTS);
    expect(invalidate([[0, 0x99, 1]])).toEqual({ refusal: '', handled: 1 });
    expect(cacheOf(1)).toEqual([MOCK_DEV_CACHE_DEFAULT, 0, MOCK_DEV_CACHE_DEFAULT, MOCK_DEV_CACHE_DEFAULT]);
    expect(invalidate([[1, 0x99, 0]])).toEqual({ refusal: '', handled: 1 });
    expect(cacheOf(1)).toEqual([0, 0, 0, 0]);
  });

  test('a probe without entries', () => {
    const { invalidate } = cacheRig();
    const none = { entryNum: 0, dataUptr: 0n, entryLen: 0 };
    expect(invalidate([], none)).toEqual({ refusal: '', handled: 0 });
    expect(invalidate([], { ...none, dataType: 1 })).toEqual({ refusal: 'EINVAL data_type', handled: 0 });
  });

  test.each<readonly [string, readonly Entry[], string]>([
    ['flags', [[2, 0x99, 1]], 'EOPNOTSUPP flags'],
    ['a cache entry', [[0, 0x99, 4]], 'EINVAL cache_id'],
    ['a device', [[0, 0x98, 1]], 'EINVAL vdev_id'],
  ])('%s that is not known: what came before has taken effect', (_name, bad, refusal) => {
    const { invalidate, cacheOf } = cacheRig();
    expect(invalidate([[0, 0x99, 0], ...bad, [0, 0x99, 2]])).toEqual({ refusal, handled: 1 });
    expect(cacheOf(1)).toEqual([0, ...DEFAULTS.slice(1)]);
  });

  test.each<readonly [string, Partial<Args<typeof HWPT_INVALIDATE>>, string]>([
    ['no pointer', { dataUptr: 0n }, 'EINVAL data_uptr'],
    ['no length', { entryLen: 0 }, 'EINVAL entry_len'],
    ['entries beyond a page', { entryLen: PAGE_BYTES + 1 }, 'EINVAL entry_len'],
    ['entries beyond counting', { entryNum: 2 ** 19 + 1 }, 'EINVAL entry_num'],
    ['another type', { dataType: 1 }, 'EINVAL data_type'],
    ['memory that is not there', { dataUptr: 1n }, 'EFAULT data_uptr'],
    ['an id that names nothing', { hwptId: 99 }, 'ENOENT hwpt_id'],
  ])('%s', (_name, more, refusal) => {
    const { invalidate, cacheOf } = cacheRig();
    expect(invalidate([[0, 0x99, 1]], more)).toEqual({ refusal, handled: 0 });
    expect(cacheOf(1)).toEqual(DEFAULTS);
  });

  test('the array is copied as a whole: one that ends where memory does takes no effect', () => {
    const { invalidate, cacheOf, page } = cacheRig();
    const dataUptr = page + BigInt(PAGE_BYTES - 12);
    expect(invalidate([[0, 0x99, 0]], { dataUptr, entryNum: 2 })).toEqual({ refusal: 'EFAULT data_uptr', handled: 0 });
    expect(cacheOf(1)).toEqual(DEFAULTS);
  });

  test('shorter entries read as 0 behind, longer ones must be 0 there', () => {
    const { invalidate, cacheOf, page, writeWords } = cacheRig();
    expect(invalidate([[0, 0x99]] as never, { entryLen: 8 })).toEqual({ refusal: '', handled: 1 });
    expect(cacheOf(1)).toEqual([0, ...DEFAULTS.slice(1)]);
    expect(invalidate([[0, 0x99, 1]], { entryLen: 16 })).toEqual({ refusal: '', handled: 1 });
    writeWords(page + 12n, 1);
    expect(invalidate([[0, 0x99, 2]], { entryLen: 16 })).toEqual({ refusal: 'E2BIG entry_len', handled: 0 });
    expect(cacheOf(1)).toEqual([0, 0, ...DEFAULTS.slice(2)]);
  });
});

describe('vdevice_tombstone', () => {
  test('unbinding a device ends its vdevice, whose id is nobody’s any more', () => {
    const rig = makeViommuRig();
    const { context, devId } = rig;
    const viommuId = rig.allocViommu();
    const vdeviceId = rig.allocVdevice(viommuId, devId, 0x99n);
    detachDevice(context, devId);
    unbindDevice(context, devId);
    expect(find(rig, viommuId, 0x99n)).toBe(0);
    expect(refusalOf(() => rig.destroy(vdeviceId))).toBe('ENOENT id');
    const later = rig.bind(2);
    expect(later).toBe(devId); // lowest first; the vdevice's is left out:
    const args = { type: MOCK_VIOMMU_TYPE, devId: later, hwptId: rig.parentId };
    expect(rig.call(VIOMMU_ALLOC, args).outViommuId).toBeGreaterThan(vdeviceId);
    rig.destroy(viommuId); // which the vdevice does not use any more
    unbindDevice(context, later);
    rig.expectNothingLeft();
  });

  test('one that was destroyed before leaves no tombstone', () => {
    const rig = makeViommuRig();
    const vdeviceId = rig.allocVdevice(rig.allocViommu(), rig.devId, 0x99n);
    rig.destroy(vdeviceId);
    detachDevice(rig.context, rig.devId);
    unbindDevice(rig.context, rig.devId);
    expect(rig.bind(2)).toBe(rig.devId);
    expect(rig.allocViommu()).toBe(vdeviceId);
  });
});
