import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CERROR_ATC_INV_SYNC, CERROR_ILL } from '../registers.ts';
import { VCMDQ_CONFIG, VCMDQ_CONS, VCMDQ_GERROR, VCMDQ_GERRORN, VCMDQ_PROD, VCMDQ_STATUS } from './layout.ts';
import { VCMDQ_EN, Vcmdqs } from './vcmdq.ts';
import { VCMDQ_DONE, VCMDQ_WAIT, VcmdqHardware } from './vcmdq-hardware.ts';
import { SELF, sidOf, VirtualRig, VMID } from './virtual.test-help.ts';
import { destroyVsmmu } from './vsmmu.ts';

const [ENOENT, EIO, EBUSY, EEXIST, EINVAL, ETIMEDOUT] = [-2, -5, -16, -17, -22, -110];
const VSID = 0x42;
const ATC = [0x40, VSID, 0x34, 0];
const ASID = [0x11, 0xbeef_9999, 0, 0];
const SYNC = [0x46, 0, 0, 0];

/** A guest with two queues, the host that maps them and the hardware that reads them, on one thread. */
class Queues {
  readonly rig = new VirtualRig({ queues: 2 });
  readonly vsmmu = this.rig.vsmmu();
  readonly host = new Vcmdqs(this.rig.area, SELF, { maxLog2: 4, hardwareDoorbell: this.rig.doorbell, timeoutMs: 20 });
  readonly executed: (readonly number[] | string)[] = [];
  answer = VCMDQ_DONE;
  syncAnswer = VCMDQ_DONE;
  readonly hardware = new VcmdqHardware(this.rig.area, {
    execute: (command, vsmmu, queue) => {
      if (this.answer === VCMDQ_DONE) this.executed.push([vsmmu, queue, ...Array.from(command, (w) => w >>> 0)]);
      return this.answer;
    },
    sync: (vsmmu, queue) => {
      if (this.syncAnswer === VCMDQ_DONE) this.executed.push(`sync ${vsmmu} ${queue}`);
      return this.syncAnswer;
    },
    failed: () => this.executed.push('failed'),
    stopped: () => this.executed.push('stopped'),
  });
  readonly base = this.rig.pageAt * 4;

  constructor() {
    this.rig.vdevices.alloc(this.vsmmu, 3, VSID);
  }

  register(register: number, queue: number = 0): number {
    return Atomics.load(this.rig.words, this.rig.area.queueAt('test', this.vsmmu, queue) + register);
  }

  write(register: number, value: number, queue: number = 0): void {
    Atomics.store(this.rig.words, this.rig.area.queueAt('test', this.vsmmu, queue) + register, value);
  }

  /** Maps queue 0, of four commands, and switches it on. */
  start(): this {
    expect(this.host.map(this.vsmmu, 0, this.base, 64)).toBe(0);
    this.write(VCMDQ_CONFIG, VCMDQ_EN);
    return this;
  }

  post(...commands: readonly (readonly number[])[]): void {
    let prod = this.register(VCMDQ_PROD);
    for (const command of commands) {
      this.rig.words.set(command, this.rig.pageAt + (prod & 3) * 4);
      prod = (prod + 1) & 7;
    }
    this.write(VCMDQ_PROD, prod);
  }
}

describe('mapping a queue', () => {
  test('takes indices upward, and gives them back downward', () => {
    const queues = new Queues();
    const { host, vsmmu, base } = queues;
    expect(host.map(vsmmu, 1, base, 32)).toBe(EIO);
    expect(host.map(vsmmu, 0, base, 32)).toBe(0);
    expect(host.map(vsmmu, 0, base, 32)).toBe(EEXIST);
    expect(host.map(vsmmu, 1, base + 32, 32)).toBe(0);
    expect(host.unmap(vsmmu, 0)).toBe(EBUSY);
    expect([host.unmap(vsmmu, 1), host.unmap(vsmmu, 0), host.unmap(vsmmu, 0)]).toEqual([0, 0, ENOENT]);
  });

  test('refuses lengths and addresses that the hardware cannot have', () => {
    const { host, vsmmu, base, rig } = new Queues();
    for (const bytes of [0, 16, 48, 33, 512, -32, 0.5, Number.NaN])
      expect(host.map(vsmmu, 0, base, bytes)).toBe(EINVAL);
    for (const at of [base + 16, base + 1, 0, -256, rig.words.length * 4])
      expect(host.map(vsmmu, 0, at, 256)).toBe(EINVAL);
    expect(host.map(vsmmu, 2, base, 32)).toBe(EINVAL);
    expect(host.map(2, 0, base, 32)).toBe(ENOENT);
    expect(host.map(vsmmu, 0, base, 256)).toBe(0); // IDR1.CMDQS = 4
    expect(() => host.map(3, 0, base, 32)).toThrow('vsmmu = 3');
    expect(() => new Vcmdqs(rig.area, SELF, { maxLog2: 20, hardwareDoorbell: rig.doorbell })).toThrow('maxLog2 = 20');
  });

  test('keeps the vSMMU in place', () => {
    const { host, vsmmu, base, rig } = new Queues();
    rig.vdevices.destroy(3);
    host.map(vsmmu, 0, base, 32);
    expect(destroyVsmmu(rig.area, vsmmu)).toBe(EBUSY);
    host.unmap(vsmmu, 0);
    expect(destroyVsmmu(rig.area, vsmmu)).toBe(0);
  });

  test('is not undone while the hardware reads: the owner keeps its memory', () => {
    const queues = new Queues().start();
    queues.hardware.pump(1);
    expect(queues.register(VCMDQ_STATUS)).toBe(VCMDQ_EN);
    expect(queues.host.unmap(queues.vsmmu, 0)).toBe(ETIMEDOUT);
    queues.post(ASID);
    expect(queues.hardware.pump(1)).toBe(1); // it is as it was
  });

  test('is not up to the guest: the hardware lets a queue go that is still switched on', () => {
    const queues = new Queues().start();
    queues.post(ASID, ASID);
    queues.hardware.pump(1);
    const hardwareDoorbell = { ring: () => queues.hardware.pump(8) };
    const host = new Vcmdqs(queues.rig.area, SELF, { maxLog2: 4, hardwareDoorbell, timeoutMs: 20 });
    expect(host.unmap(queues.vsmmu, 0)).toBe(0);
    expect([queues.register(VCMDQ_STATUS), queues.executed.at(-1), queues.executed.length]).toEqual([0, 'stopped', 2]);
  });

  test('and again, finds the queue as new, whatever the guest left', () => {
    const queues = new Queues().start();
    queues.post(ASID, [0xff, 0, 0, 0]);
    queues.hardware.pump(8);
    queues.write(VCMDQ_CONFIG, 0);
    queues.hardware.pump(8);
    expect(queues.register(VCMDQ_STATUS)).toBe(0);
    expect(queues.host.unmap(queues.vsmmu, 0)).toBe(0);
    const registers = [VCMDQ_PROD, VCMDQ_CONS, VCMDQ_CONFIG].map((register) => queues.register(register));
    expect(registers).toEqual([0, 0, 0]);
    queues.write(VCMDQ_CONFIG, VCMDQ_EN); // a guest may do that; there is nothing to read
    queues.hardware.pump(8);
    expect(queues.register(VCMDQ_STATUS)).toBe(0);
    queues.executed.length = 0;
    queues.start().post(ASID);
    expect(queues.hardware.pump(8)).toBe(1);
  });
});

describe('a command of the guest', () => {
  test('reaches its own VMID and its own devices, and no others', () => {
    const queues = new Queues().start();
    queues.post(ASID, [0x0051_f012, 0x0001_0000, 0x701, 0xffff], ATC, SYNC);
    expect(queues.hardware.pump(8)).toBe(4);
    expect(queues.executed).toEqual([
      [1, 0, 0x11, 0xbeef_0000 | VMID, 0, 0].map((w) => w >>> 0),
      [1, 0, 0x0051_f012, 0x0001_0000 | VMID, 0x701, 0xffff],
      [1, 0, 0x40, sidOf(3), 0x34, 0],
      'sync 1 0',
    ]);
    expect(queues.register(VCMDQ_CONS)).toBe(4);
  });

  test.each([
    ['a StreamID without a match', [0x40, VSID + 1, 0, 0]],
    ['a physical StreamID', [0x40, sidOf(3), 0, 0]],
    ['TLBI_NSNH_ALL', [0x30, 0, 0, 0]],
    ['TLBI_NH_ALL', [0x10, 0, 0, 0]],
    ['CFGI_CD', [0x05, VSID, 0, 0]],
    ['RESUME', [0x44, VSID, 0, 0]],
    ['CMD_SYNC that writes', [0x1046, 0, 0x100, 0]],
    ['an opcode of nobody', [0xff, 0, 0, 0]],
  ])('%s stops the queue until acknowledged', (_, command) => {
    const queues = new Queues().start();
    queues.post(ASID, command, ASID);
    expect(queues.hardware.pump(8)).toBe(1);
    expect(queues.register(VCMDQ_CONS)).toBe(CERROR_ILL | 1);
    expect(queues.register(VCMDQ_GERROR)).toBe(1);
    expect([queues.hardware.pump(8), queues.hardware.needsWork()]).toEqual([0, false]);
    queues.rig.words.set(SYNC, queues.rig.pageAt + 4); // as Linux does: a CMD_SYNC in its place, then the acknowledgement
    queues.write(VCMDQ_GERRORN, 1);
    expect(queues.hardware.pump(8)).toBe(2);
    expect(queues.register(VCMDQ_CONS)).toBe(3);
  });

  test('that has to wait is offered again; an ATC time-out is told at the CMD_SYNC', () => {
    const queues = new Queues().start();
    queues.post(ATC, SYNC);
    queues.answer = VCMDQ_WAIT;
    expect([queues.hardware.pump(8), queues.register(VCMDQ_CONS)]).toEqual([0, 0]);
    queues.answer = VCMDQ_DONE;
    queues.syncAnswer = VCMDQ_WAIT;
    expect([queues.hardware.pump(8), queues.register(VCMDQ_CONS)]).toEqual([1, 1]);
    queues.syncAnswer = CERROR_ATC_INV_SYNC;
    expect([queues.hardware.pump(8), queues.register(VCMDQ_CONS)]).toEqual([0, CERROR_ATC_INV_SYNC | 1]);
    queues.syncAnswer = VCMDQ_DONE;
    queues.write(VCMDQ_GERRORN, 1);
    expect([queues.hardware.pump(8), queues.register(VCMDQ_CONS)]).toEqual([1, 2]);
  });
});

describe('the queue', () => {
  test('is not read while it is off, or PROD makes no sense', () => {
    const queues = new Queues();
    queues.post(ASID);
    expect(queues.hardware.needsWork()).toBe(false);
    expect(queues.hardware.pump(8)).toBe(0);
    queues.start();
    expect(queues.hardware.needsWork()).toBe(true);
    queues.write(VCMDQ_PROD, 7);
    expect(queues.hardware.pump(8)).toBe(0);
    queues.write(VCMDQ_PROD, -1);
    expect(queues.hardware.pump(8)).toBe(0);
    queues.write(VCMDQ_PROD, 1);
    expect(queues.hardware.pump(8)).toBe(1);
  });

  test('a budget is kept, and starves no queue', () => {
    const queues = new Queues().start();
    queues.host.map(queues.vsmmu, 1, queues.base + 64, 64);
    queues.write(VCMDQ_CONFIG, VCMDQ_EN, 1);
    queues.rig.words.set(ASID, queues.rig.pageAt + 16);
    queues.write(VCMDQ_PROD, 1, 1);
    queues.post(ASID, ASID, ASID, ASID);
    for (let i = 0; i < 2; i++) expect(queues.hardware.pump(1)).toBe(1);
    expect(queues.register(VCMDQ_CONS, 1)).toBe(1);
    expect(() => queues.hardware.pump(-1)).toThrow('budget = -1');
  });

  test('takes every command once, in order, across the wrap', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ post: fc.nat({ max: 4 }), budget: fc.nat({ max: 5 }) }), { maxLength: 30 }),
        (steps) => {
          const queues = new Queues().start();
          let posted = 0;
          let taken = 0;
          for (const { post, budget } of steps) {
            const some = Math.min(post, 4 - (posted - taken));
            queues.post(...Array.from({ length: some }, () => [0x11, (posted++ << 16) | 0x9999, 0, 0]));
            taken += queues.hardware.pump(budget);
          }
          const asids = queues.executed.map((command) => Number(command[3]) >>> 16);
          expect(asids).toEqual(Array.from({ length: taken }, (_, i) => i));
        },
      ),
      { numRuns: 100 },
    );
  });
});
