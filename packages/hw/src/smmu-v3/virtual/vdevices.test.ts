import { layoutOffset } from '@faultline/core/memory';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { masterLayout, NO_PAIR, VirtualArea, vcmdqLayout, virtualWords } from './layout.ts';
import { freeNested } from './nested-domain.ts';
import { SidMatch } from './sid-match.ts';
import { DEVICES, sidOf, VirtualRig } from './virtual.test-help.ts';
import { destroyVsmmu, vsmmuVmid } from './vsmmu.ts';

const ENOENT = -2;
const EBUSY = -16;
const EEXIST = -17;
const EINVAL = -22;
const ENOSPC = -28;

describe('a vSMMU', () => {
  test('has the VMID it was made with, and a number of its own', () => {
    const rig = new VirtualRig();
    const [first, second] = [rig.vsmmu(7), rig.vsmmu(8)];
    expect([first, second]).toEqual([1, 2]);
    expect([vsmmuVmid(rig.area, first), vsmmuVmid(rig.area, second)]).toEqual([7, 8]);
    expect(rig.vsmmu()).toBe(ENOSPC);
    expect(destroyVsmmu(rig.area, first)).toBe(0);
    expect(destroyVsmmu(rig.area, first)).toBe(ENOENT);
    expect(rig.vsmmu(9)).toBe(first);
  });

  test('stays while it has vdevices or nested domains', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 0, 1);
    expect(destroyVsmmu(rig.area, vsmmu)).toBe(EBUSY);
    rig.vdevices.destroy(0);
    const domain = rig.nested(vsmmu);
    expect(destroyVsmmu(rig.area, vsmmu)).toBe(EBUSY);
    expect(freeNested(rig.area, domain)).toBe(0);
    expect(destroyVsmmu(rig.area, vsmmu)).toBe(0);
  });
});

describe('a vdevice', () => {
  test('is found both ways, in its own vSMMU alone', () => {
    const rig = new VirtualRig();
    const [one, two] = [rig.vsmmu(), rig.vsmmu()];
    expect(rig.vdevices.alloc(one, 3, 0)).toBe(0);
    expect(rig.vdevices.virtualId(one, 3)).toBe(0);
    expect(rig.vdevices.virtualId(two, 3)).toBe(ENOENT);
    expect(rig.vdevices.findDevice(one, 0)).toBe(3);
    expect(rig.vdevices.findDevice(two, 0)).toBe(ENOENT);
    expect(rig.vdevices.findDevice(one, 2 ** 32 - 1)).toBe(ENOENT);
    expect(rig.vdevices.findDevice(99, 0)).toBe(ENOENT);
  });

  test('refusals', () => {
    const rig = new VirtualRig();
    const [one, two] = [rig.vsmmu(), rig.vsmmu()];
    rig.vdevices.alloc(one, 0, 5);
    expect(rig.vdevices.alloc(two, 0, 6)).toBe(EEXIST); // one a device, in any vSMMU
    expect(rig.vdevices.alloc(one, 1, 5)).toBe(EEXIST); // the id is taken
    expect(rig.vdevices.alloc(two, 1, 5)).toBe(0); // in that vSMMU
    expect(rig.vdevices.alloc(one, 2, 2 ** 20)).toBe(EINVAL);
    expect(rig.vdevices.alloc(one, 2, -1)).toBe(EINVAL);
    expect(rig.vdevices.alloc(one, 2, 0.5)).toBe(EINVAL);
    expect(rig.vdevices.destroy(2)).toBe(ENOENT);
    rig.vdevices.destroy(1);
    destroyVsmmu(rig.area, two);
    expect(rig.vdevices.alloc(two, 2, 9)).toBe(ENOENT);
    expect(() => rig.vdevices.alloc(one, DEVICES, 1)).toThrow('Vdevices.alloc: device = 4');
    expect(() => rig.vdevices.alloc(3, 2, 1)).toThrow('Vdevices.alloc: vsmmu = 3');
  });

  test('for which there is no room leaves nothing behind', () => {
    const rig = new VirtualRig({ idBlocks: 1, queues: 1, sidPairs: 2 });
    const vsmmu = rig.vsmmu();
    expect(rig.vdevices.alloc(vsmmu, 0, 0)).toBe(0);
    expect(() => rig.vdevices.alloc(vsmmu, 1, 5000)).toThrow('ENOMEM');
    expect(rig.vdevices.alloc(vsmmu, 1, 1)).toBe(0); // the pair came back
    expect(rig.vdevices.alloc(vsmmu, 2, 2)).toBe(ENOSPC);
    expect(rig.vdevices.findDevice(vsmmu, 2)).toBe(ENOENT);
    for (const device of [0, 1]) expect(rig.vdevices.destroy(device)).toBe(0);
    expect(destroyVsmmu(rig.area, vsmmu)).toBe(0);
  });

  test('does not go under an attached nested domain, unless by force', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 0, 1);
    const domain = rig.nested(vsmmu);
    expect(rig.attach(0, domain)).toBe(0);
    expect(rig.vdevices.destroy(0)).toBe(EBUSY);
    expect(rig.attach(0, 0)).toBe(0);
    expect(rig.vdevices.destroy(0)).toBe(0);
    rig.vdevices.alloc(vsmmu, 0, 1);
    rig.attach(0, domain);
    expect(rig.vdevices.destroyNow(0)).toBe(0);
    expect(rig.vdevices.findDevice(vsmmu, 1)).toBe(ENOENT);
    expect(destroyVsmmu(rig.area, vsmmu)).toBe(EBUSY);
  });
});

describe('the SID match table', () => {
  test('has virtual id << 1 | 1 beside the StreamID, and is empty afterwards', () => {
    const rig = new VirtualRig({ queues: 1 });
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 1, 0x2a);
    const at = rig.area.vsmmuAt('test', vsmmu) + 2 * 32;
    expect([rig.words[at], rig.words[at + 16] >>> 0]).toEqual([0x55, sidOf(1)]);
    const sids = new SidMatch(rig.area, vsmmu);
    expect([sids.replace(0x2a), sids.streamId >>> 0]).toEqual([true, sidOf(1)]);
    expect(sids.replace(0x2b)).toBe(false);
    for (const name of [-1, 0x2a | (1 << 31)]) expect(sids.replace(name)).toBe(false); // bit 31 is not compared
    expect(new SidMatch(rig.area, 2).replace(0x2a)).toBe(false);
    rig.vdevices.destroy(1);
    expect(Array.from(rig.words.subarray(at, at + NO_PAIR))).toEqual(new Array(NO_PAIR).fill(0));
    expect(sids.replace(0x2a)).toBe(false);
    expect(sids.replace(0)).toBe(false); // an empty pair matches nothing
  });
});

test('any order of making and ending vdevices agrees with a plain table', () => {
  const step = fc.record({
    make: fc.boolean(),
    vsmmu: fc.constantFrom(1, 2),
    device: fc.nat({ max: DEVICES - 1 }),
    id: fc.constantFrom(0, 1, 2, 1023, 1024),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rig = new VirtualRig({ queues: 1, sidPairs: 3 });
      rig.vsmmu();
      rig.vsmmu();
      const model = new Map<number, { vsmmu: number; id: number }>();
      const holder = (vsmmu: number, id: number): number =>
        [...model].find(([, v]) => v.vsmmu === vsmmu && v.id === id)?.[0] ?? ENOENT;
      for (const { make, vsmmu, device, id } of steps) {
        const has = model.has(device);
        if (!make) expect(rig.vdevices.destroy(device)).toBe(has ? 0 : ENOENT);
        else {
          const full = [...model.values()].filter((v) => v.vsmmu === vsmmu).length === 3;
          const taken = holder(vsmmu, id) >= 0;
          const expected = has ? EEXIST : full ? ENOSPC : taken ? EEXIST : 0;
          expect(rig.vdevices.alloc(vsmmu, device, id)).toBe(expected);
          if (expected === 0) model.set(device, { vsmmu, id });
        }
        if (!make) model.delete(device);
        for (const at of [1, 2])
          for (const name of [0, 1, 2, 1023, 1024]) {
            const sids = new SidMatch(rig.area, at);
            expect(rig.vdevices.findDevice(at, name)).toBe(holder(at, name));
            expect(sids.replace(name) ? sids.streamId >>> 0 : ENOENT).toBe(
              holder(at, name) < 0 ? ENOENT : sidOf(holder(at, name)),
            );
          }
      }
    }),
    { numRuns: 60 },
  );
});

test('the layout says where things are, and refuses what is none', () => {
  expect(layoutOffset(masterLayout, 'VSTREAM_VSMMU')).toBe(128);
  expect(vcmdqLayout.words).toBe(66);
  const rig = new VirtualRig();
  expect(() => new VirtualArea(rig.words, rig.spareAt)).toThrow('no virtual side was laid out here');
  expect(() => virtualWords({ masters: [], domains: 1, vsmmus: 1 })).toThrow('masters.length = 0');
  expect(() => new VirtualRig({ sidPairs: 17 })).toThrow('sidPairs = 17');
  expect(() => rig.area.domainAt('test', 5)).toThrow('domain = 5');
  expect(() => rig.area.queueAt('test', 1, 0)).toThrow('queue = 0');
});
