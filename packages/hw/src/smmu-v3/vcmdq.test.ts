import { beforeEach, describe, expect, test } from 'vitest';
import { CERROR_ATC_INV_SYNC, CERROR_ILL, readSmmuStats } from './index.ts';
import { NestedBench, SELF, SID, VMID, VSID } from './nested.test-help.ts';
import { allocVsmmu, VCMDQ_EN, Vcmdqs } from './virtual/index.ts';
import { VCMDQ_CONFIG, VCMDQ_CONS, VCMDQ_GERROR, VCMDQ_GERRORN, VCMDQ_PROD } from './virtual/layout.ts';

// Virtual command queues with the SMMU's own command unit behind them.

const ATC = [0x40, VSID, 0x55000, 0];
const SYNC = [0x46, 0, 0, 0];

class Guest {
  readonly bench: NestedBench;
  readonly vsmmu: number;
  readonly host: Vcmdqs;

  constructor(bench: NestedBench, vsmmu: number = bench.vsmmu) {
    const { area } = bench.rig;
    this.bench = bench;
    this.vsmmu = vsmmu;
    this.host = new Vcmdqs(area, SELF, {
      maxLog2: 8,
      hardwareDoorbell: { ring: () => bench.hardware() },
      timeoutMs: 50,
    });
  }

  /** Maps queue 0, of four commands, and switches it on. */
  start(): this {
    expect(this.host.map(this.vsmmu, 0, this.bench.rig.pageAt * 4 + 2048, 64)).toBe(0);
    this.write(VCMDQ_CONFIG, VCMDQ_EN);
    this.bench.hardware();
    return this;
  }

  read(register: number): number {
    return Atomics.load(this.bench.rig.words, this.bench.rig.area.queueAt('test', this.vsmmu, 0) + register);
  }

  write(register: number, value: number): void {
    Atomics.store(this.bench.rig.words, this.bench.rig.area.queueAt('test', this.vsmmu, 0) + register, value);
  }

  post(...commands: readonly (readonly number[])[]): void {
    let prod = this.read(VCMDQ_PROD);
    for (const command of commands) {
      this.bench.rig.words.set(command, this.bench.rig.pageAt + 512 + (prod & 3) * 4);
      prod = (prod + 1) & 7;
    }
    this.write(VCMDQ_PROD, prod);
    this.bench.hardware();
  }
}

let bench: NestedBench;
let guest: Guest;
beforeEach(() => {
  bench = new NestedBench({ atcTimeoutTicks: 100 });
  expect(bench.vdevices.alloc(bench.vsmmu, SID, VSID)).toBe(0);
  guest = new Guest(bench).start();
});

describe('a command in a guest’s own queue', () => {
  test('reaches the function by its physical StreamID, and the TLB by the VMID', () => {
    guest.post(ATC, [0x11, (9 << 16) | 0x777, 0, 0], SYNC);
    expect(bench.invalidated()).toEqual([{ page: 0x55, pasid: -1, code: 0 }]);
    expect(bench.tlbis).toEqual([[0x11, (9 << 16) | VMID, 0, 0]]);
    expect([guest.read(VCMDQ_CONS), guest.read(VCMDQ_GERROR)]).toEqual([3, 0]);
    expect(readSmmuStats(bench.rig.words, bench.rig.base)).toMatchObject({ commands: 3, syncs: 1, invalidations: 2 });
  });

  test('a CMD_SYNC waits for the queue’s own invalidations, and nobody else’s', () => {
    bench.silence();
    guest.post(ATC, SYNC);
    expect([guest.read(VCMDQ_CONS), bench.rig.hw.needsWork()]).toEqual([1, true]); // its time-out rings nobody
    bench.ops.sync(SELF); // the host's does not wait
    expect(bench.rig.complete(0)).toBe(1);
    bench.hardware();
    bench.hardware();
    expect(guest.read(VCMDQ_CONS)).toBe(2);
    expect(bench.rig.hw.needsWork()).toBe(false);
  });

  test('a function that is too late is told to the guest alone, at its CMD_SYNC, which is repeated once acknowledged', () => {
    bench.silence();
    guest.post(ATC, SYNC);
    bench.rig.tick += 100;
    bench.hardware();
    expect([guest.read(VCMDQ_CONS), guest.read(VCMDQ_GERROR)]).toEqual([CERROR_ATC_INV_SYNC | 1, 1]);
    bench.ops.sync(SELF);
    expect(bench.ops.atcTimeouts).toBe(0);
    guest.write(VCMDQ_GERRORN, 1);
    bench.hardware();
    expect(guest.read(VCMDQ_CONS)).toBe(2);
    expect(readSmmuStats(bench.rig.words, bench.rig.base)).toMatchObject({ atcTimeouts: 1, commandErrors: 1 });
  });

  test.each([
    ['a StreamID without a match', [0x40, VSID + 1, 0, 0]],
    ['a Size that no SMMU takes', [0x40, VSID, 63, 0]],
    ['what belongs to the host', [0x03, VSID, 0, 0]],
  ])('%s stops that queue, and no other', (_name, command) => {
    guest.post(command, ATC);
    expect([guest.read(VCMDQ_CONS), guest.read(VCMDQ_GERROR), bench.invalidated()]).toEqual([CERROR_ILL, 1, []]);
    bench.ops.sync(SELF);
    bench.rig.words.set(SYNC, bench.rig.pageAt + 512); // what Linux puts there
    guest.write(VCMDQ_GERRORN, 1);
    bench.hardware();
    expect([guest.read(VCMDQ_CONS), bench.invalidated().length]).toEqual([2, 1]);
    expect(readSmmuStats(bench.rig.words, bench.rig.base).commandErrors).toBe(1);
  });
});

describe('a queue that changes hands', () => {
  test('leaves its time-out to the host, and not to the next guest', () => {
    bench.silence();
    guest.post(ATC);
    expect(guest.host.unmap(bench.vsmmu, 0)).toBe(0);
    bench.rig.tick += 100;
    const next = allocVsmmu(bench.rig.area, VMID + 1);
    bench.vdevices.destroy(SID);
    expect(bench.vdevices.alloc(next, SID, VSID)).toBe(0);
    const again = new Guest(bench).start(); // the same queue
    again.post(SYNC);
    expect([again.read(VCMDQ_CONS), again.read(VCMDQ_GERROR)]).toEqual([1, 0]);
    const other = new Guest(bench, next);
    expect(other.host.unmap(bench.vsmmu, 0)).toBe(0);
    other.start().post(SYNC);
    expect([other.read(VCMDQ_CONS), other.read(VCMDQ_GERROR)]).toEqual([1, 0]);
    bench.ops.sync(SELF); // the CMD_SYNC that follows an unmap
    expect(bench.ops.atcTimeouts).toBe(1);
    bench.ops.sync(SELF);
    expect(bench.ops.atcTimeouts).toBe(1); // once
  });

  test('makes the host’s CMD_SYNC wait for what is still under way', () => {
    bench.silence();
    guest.post(ATC);
    expect(guest.host.unmap(bench.vsmmu, 0)).toBe(0);
    expect(() => bench.ops.sync(SELF)).toThrow('(ETIMEDOUT)');
    expect(bench.rig.complete(0)).toBe(1);
    bench.hardware();
    bench.ops.sync(SELF);
    expect(bench.ops.atcTimeouts).toBe(0);
  });
});
