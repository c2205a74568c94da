import { mutexLock, mutexUnlock, rwlockReaders, rwlockWriter } from '@faultline/core/sync';
import { describe, expect, test } from 'vitest';
import { MASTER_LOCK } from './layout.ts';
import { freeNested } from './nested-domain.ts';
import { BYPASSES, SELF, VirtualRig } from './virtual.test-help.ts';
import { destroyVsmmu } from './vsmmu.ts';
import { VStreamReader } from './vstream.ts';

const ENOENT = -2;
const EBUSY = -16;

function pair(rig: VirtualRig, device: number): readonly number[] {
  const reader = new VStreamReader(rig.area, { id: 2, spins: 0 });
  reader.enter(device);
  const { vsmmu, vsid } = reader;
  reader.leave();
  return [vsmmu, vsid];
}

/** Who has the master's lock for writing takes its mutex: taken here, a write by the attach path throws. */
function withLockTaken(rig: VirtualRig, device: number, body: () => void): void {
  const at = rig.area.masterAt('test', device) + MASTER_LOCK + 32;
  mutexLock(rig.words, at, SELF);
  try {
    body();
  } finally {
    mutexUnlock(rig.words, at, SELF);
  }
}

describe('the pair', () => {
  test('is set and cleared with the domain, not with the vdevice', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 1, 77);
    expect(pair(rig, 1)).toEqual([0, 0]);
    expect(rig.attach(1, rig.nested(vsmmu))).toBe(0);
    expect(pair(rig, 1)).toEqual([vsmmu, 77]);
    expect(pair(rig, 0)).toEqual([0, 0]);
    expect(rig.attach(1, 0)).toBe(0);
    expect(pair(rig, 1)).toEqual([0, 0]);
  });

  test('is cleared before the entry changes, and set after', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 0, 5);
    const domain = rig.nested(vsmmu);
    const seen: (readonly number[])[] = [];
    rig.attach(0, domain, () => seen.push(pair(rig, 0)));
    rig.attach(0, rig.nested(vsmmu), () => seen.push(pair(rig, 0))); // stays with its guest
    rig.attach(0, 0, () => seen.push(pair(rig, 0)));
    expect(seen).toEqual([
      [0, 0],
      [vsmmu, 5],
      [0, 0],
    ]);
  });

  test('is written under the lock, and only when it changes', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 0, 5);
    const [one, two] = [rig.nested(vsmmu), rig.nested(vsmmu)];
    withLockTaken(rig, 0, () => {
      expect(rig.attach(0, 0)).toBe(0);
      expect(() => rig.attach(0, one)).toThrow('this thread has the mutex already');
    });
    const other = new VirtualRig();
    const guest = other.vsmmu();
    other.vdevices.alloc(guest, 0, 5);
    const [a, b] = [other.nested(guest), other.nested(guest)];
    other.attach(0, a);
    withLockTaken(other, 0, () => {
      expect(other.attach(0, b)).toBe(0);
      expect(other.attach(0, a)).toBe(0);
      expect(() => other.attach(0, 0)).toThrow('this thread has the mutex already');
    });
    expect(two).not.toBe(one);
  });

  test('takes the new name of a vdevice that was made anew under an attached domain', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 0, 5);
    const domain = rig.nested(vsmmu);
    rig.attach(0, domain);
    rig.vdevices.destroyNow(0);
    expect(pair(rig, 0)).toEqual([vsmmu, 5]);
    rig.vdevices.alloc(vsmmu, 0, 6);
    rig.attach(0, domain);
    expect(pair(rig, 0)).toEqual([vsmmu, 6]);
  });

  test('keeps its vSMMU in place', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 0, 5);
    const domain = rig.nested(vsmmu);
    rig.attach(0, domain);
    expect(freeNested(rig.area, domain)).toBe(EBUSY);
    expect(destroyVsmmu(rig.area, vsmmu)).toBe(EBUSY);
    rig.attach(0, 0);
    rig.vdevices.destroy(0);
    expect([freeNested(rig.area, domain), destroyVsmmu(rig.area, vsmmu)]).toEqual([0, 0]);
  });
});

describe('a nested attach', () => {
  test('without a ready vdevice fails, and changes nothing', () => {
    const rig = new VirtualRig();
    const [one, two] = [rig.vsmmu(), rig.vsmmu()];
    rig.vdevices.alloc(one, 0, 5);
    const [own, foreign] = [rig.nested(one), rig.nested(two)];
    rig.attach(0, own);
    let installed = 0;
    expect(rig.attach(0, foreign, () => installed++)).toBe(ENOENT);
    expect(rig.attach(1, own, () => installed++)).toBe(ENOENT);
    expect(installed).toBe(0);
    expect(pair(rig, 0)).toEqual([one, 5]);
    expect(freeNested(rig.area, foreign)).toBe(0); // not counted as attached
    expect(rig.attach(0, foreign)).toBe(ENOENT); // no such domain
  });

  test('of an entry that aborts or bypasses needs none', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    for (const low of [0, 1, BYPASSES]) {
      const domain = rig.nested(vsmmu, low);
      expect(rig.attach(0, domain)).toBe(0);
      expect(pair(rig, 0)).toEqual([0, 0]);
      rig.attach(0, 0);
      freeNested(rig.area, domain);
    }
    rig.vdevices.alloc(vsmmu, 0, 9);
    rig.attach(0, rig.nested(vsmmu, BYPASSES));
    expect(pair(rig, 0)).toEqual([vsmmu, 9]); // but has it where there is one
  });

  test('whose entry cannot be written leaves the stream with nobody', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 0, 5);
    const [one, two] = [rig.nested(vsmmu), rig.nested(vsmmu)];
    rig.attach(0, one);
    const fail = (): never => {
      throw new Error('no answer');
    };
    expect(() => rig.attach(0, two, fail)).toThrow('no answer');
    expect(pair(rig, 0)).toEqual([0, 0]);
    expect([freeNested(rig.area, one), freeNested(rig.area, two)]).toEqual([0, 0]);
    const lock = rig.area.masterAt('test', 0) + MASTER_LOCK;
    expect([rwlockWriter(rig.words, lock), rwlockReaders(rig.words, lock)]).toEqual([0, 0]);
  });

  test('without the group mutex is a mistake', () => {
    const rig = new VirtualRig();
    expect(() => rig.streams.prepare(0, 0)).toThrow('VStreams.prepare: device = 0: its group mutex is free');
    expect(() => rig.underGroupMutex(1, () => rig.streams.commit(0))).toThrow('VStreams.commit: device = 0');
    expect(() => rig.streams.prepare(4, 0)).toThrow('device = 4');
  });

  test('in steps, undone', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 0, 5);
    const [domain, next] = [rig.nested(vsmmu), rig.nested(vsmmu, BYPASSES)];
    const { streams } = rig;
    rig.underGroupMutex(0, () => {
      expect(streams.prepare(0, domain)).toBe(0);
      streams.clear(0);
      expect([streams.gives(0), streams.givesBack(0)]).toEqual([true, false]);
      streams.commit(0);
      expect(streams.prepare(0, 0)).toBe(0);
      streams.clear(0);
      expect([pair(rig, 0), streams.gives(0), streams.givesBack(0)]).toEqual([[0, 0], false, true]);
      streams.restore(0);
      expect(pair(rig, 0)).toEqual([vsmmu, 5]);
      expect(streams.prepare(0, next)).toBe(0); // the same guest's
      streams.clear(0);
      expect([pair(rig, 0), streams.gives(0), streams.givesBack(0)]).toEqual([[vsmmu, 5], false, false]);
      streams.restore(0);
      streams.restore(0); // nothing is left to undo
    });
    expect([pair(rig, 0), freeNested(rig.area, next), freeNested(rig.area, domain)]).toEqual([[vsmmu, 5], 0, EBUSY]);
    expect(rig.attach(0, 0)).toBe(0);
    expect(freeNested(rig.area, domain)).toBe(0);
  });

  test('in steps, given up', () => {
    const rig = new VirtualRig();
    const vsmmu = rig.vsmmu();
    rig.vdevices.alloc(vsmmu, 0, 5);
    const domain = rig.nested(vsmmu);
    rig.underGroupMutex(0, () => {
      expect(rig.streams.prepare(0, domain)).toBe(0);
      rig.streams.abort(0);
    });
    expect(pair(rig, 0)).toEqual([0, 0]);
    expect(freeNested(rig.area, domain)).toBe(0);
  });
});
