import { IommuError } from '@faultline/core/errors';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CMD_CFGI_STE, CMD_PRI_RESP, CMD_RESUME, CMD_SYNC, COMMAND_KINDS, encodeCommand } from '../commands.ts';
import { convertGuestCommand, GUEST_BATCH, GuestCommands } from './guest-commands.ts';
import { SELF, sidOf, VirtualRig, VMID } from './virtual.test-help.ts';

const EIO = -5;
const ETIMEDOUT = -110;
const VSID = 0x0003_0042;

/** A guest with one device, and what its commands come to. */
class Guest {
  readonly rig = new VirtualRig();
  readonly vsmmu = this.rig.vsmmu();
  readonly issued: (readonly number[] | 'sync')[] = [];
  stuck = false;
  readonly commands = new GuestCommands(this.rig.area, this.vsmmu, SELF, this.rig.vdevices, {
    issueRaw: (...words) => this.issued.push(words.map((w) => w >>> 0)),
    sync: () => {
      if (this.stuck) throw new IommuError('ETIMEDOUT', 'test', 'timeoutMs', 0, 'the hardware consumed nothing');
      this.issued.push('sync');
    },
  });

  constructor() {
    this.rig.vdevices.alloc(this.vsmmu, 2, VSID);
  }

  /** Converts four words. @returns the four that come out, or the error. */
  convert(...words: readonly number[]): readonly number[] | number {
    this.rig.words.set(words, this.rig.spareAt);
    const out = new Int32Array(6).fill(-1);
    const result = convertGuestCommand(this.rig.area, this.rig.vdevices, this.vsmmu, this.rig.spareAt, out, 1);
    expect([out[0], out[5]]).toEqual([-1, -1]);
    return result === 0 ? Array.from(out.subarray(1, 5), (w) => w >>> 0) : result;
  }

  submit(commands: readonly (readonly number[])[]): number {
    this.rig.words.set(commands.flat(), this.rig.spareAt);
    return this.commands.submit(this.rig.spareAt, commands.length);
  }
}

// Words by hand, from the command table: op 7:0, VMID 47:32, ASID 63:48, SSV 11, SSID 31:12, SID 63:32 of w0.
const ASID_COMMAND = [0x11, 0xbeef_9999, 0, 0];
const ATC_COMMAND = [0x0012_3840, VSID, 0x0000_7005, 0x0000_00aa];

describe('a guest command', () => {
  const guest = new Guest();
  test.each([
    ['TLBI_NSNH_ALL: NH_ALL of its VMID, nothing else', [0x30, -1, -1, -1], [0x10, VMID, 0, 0]],
    ['TLBI_NSNH_ALL with stray bits', [0xffff_ff30, 5, 6, 7], [0x10, VMID, 0, 0]],
    ['TLBI_NH_ALL', [0x10, 0x9999, 0, 0], [0x10, VMID, 0, 0]],
    ['TLBI_NH_ASID keeps its ASID', ASID_COMMAND, [0x11, 0xbeef_1234, 0, 0]],
    [
      'TLBI_NH_VA keeps range and address',
      [0x0051_f012, 0x0001_0000, 0x8000_0701, 0xffff],
      [0x0051_f012, 0x0001_1234, 0x8000_0701, 0xffff],
    ],
    ['TLBI_NH_VAA', [0x13, 0xffff, 0x1000, 1], [0x13, VMID, 0x1000, 1]],
    ['CFGI_CD keeps its SubstreamID', [0x0004_5005, VSID, 1, 0], [0x0004_5005, sidOf(2), 1, 0]],
    ['CFGI_CD_ALL', [0x06, VSID, 0, 0], [0x06, sidOf(2), 0, 0]],
    ['ATC_INV keeps all but its StreamID', ATC_COMMAND, [0x0012_3840, sidOf(2), 0x0000_7005, 0xaa]],
  ])('%s', (_, command, expected) => {
    expect(guest.convert(...command)).toEqual(expected);
  });

  test.each([0x05, 0x06, 0x40])('%d with a StreamID that names no device', (op) => {
    for (const vsid of [VSID + 1, 0, sidOf(2), 2 ** 20, -1]) expect(guest.convert(op, vsid, 0, 0)).toBe(EIO);
  });

  test('of any other kind is refused', () => {
    const through = [0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x30, 0x40];
    for (let op = 0; op < 256; op++) if (!through.includes(op)) expect(guest.convert(op, VSID, 0, 0)).toBe(EIO);
    for (const op of [CMD_SYNC, CMD_CFGI_STE, CMD_RESUME, CMD_PRI_RESP]) expect(through).not.toContain(op);
    expect(COMMAND_KINDS.filter(({ op }) => through.includes(op))).toHaveLength(8);
  });

  test('of another guest names nothing here', () => {
    const other = new Guest();
    const stranger = other.rig.vsmmu();
    const out = new Int32Array(4);
    encodeCommand(other.rig.words, other.rig.spareAt, 0x06, { streamId: VSID });
    expect(convertGuestCommand(other.rig.area, other.rig.vdevices, stranger, other.rig.spareAt, out, 0)).toBe(EIO);
    expect(Array.from(out)).toEqual([0, 0, 0, 0]);
  });

  test('whatever its words, it reaches no other VMID and no other stream', () => {
    const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    const op = fc.oneof(fc.constantFrom(0x05, 0x06, 0x10, 0x11, 0x12, 0x13, 0x30, 0x40), fc.nat({ max: 255 }));
    const sid = fc.oneof(fc.constant(VSID), word);
    fc.assert(
      fc.property(op, word, sid, word, word, (o, low, high, third, fourth) => {
        const result = guest.convert((low & ~0xff) | o, high, third, fourth);
        if (typeof result === 'number') return result === EIO;
        if (o === 0x30) return result.join() === [0x10, VMID, 0, 0].join();
        const rest = result[0] === ((low & ~0xff) | o) >>> 0 && result[2] === third >>> 0 && result[3] === fourth >>> 0;
        const named = [0x05, 0x06, 0x40].includes(o)
          ? result[1] === sidOf(2) && high === VSID
          : (result[1] & 0xffff) === VMID && result[1] >>> 16 === high >>> 16;
        return rest && named;
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a submission', () => {
  const bad = [0x46, 0, 0, 0];

  test('ends with a CMD_SYNC, one for every 63 commands', () => {
    const guest = new Guest();
    const many = Array.from({ length: 2 * GUEST_BATCH + 1 }, () => ASID_COMMAND);
    expect(guest.submit(many)).toBe(0);
    expect(guest.commands.completed).toBe(127);
    const syncs = guest.issued.flatMap((command, i) => (command === 'sync' ? [i] : []));
    expect(syncs).toEqual([63, 127, 129]);
    expect(guest.submit(many.slice(0, GUEST_BATCH))).toBe(0);
    expect(guest.issued.length).toBe(130 + 64);
  });

  test('of nothing succeeds', () => {
    const guest = new Guest();
    expect([guest.submit([]), guest.commands.completed, guest.issued.length]).toEqual([0, 0, 0]);
  });

  test('stops at a bad command, and has done what came before it', () => {
    const guest = new Guest();
    expect(guest.submit([ASID_COMMAND, ATC_COMMAND, bad, ASID_COMMAND])).toBe(EIO);
    expect(guest.commands.completed).toBe(2);
    expect(guest.issued).toEqual([[0x11, 0xbeef_1234, 0, 0], [0x0012_3840, sidOf(2), 0x7005, 0xaa], 'sync']);
    expect(guest.submit([bad])).toBe(EIO);
    expect(guest.commands.completed).toBe(0);
    expect(guest.issued.length).toBe(3);
  });

  test('that the hardware does not finish counts finished batches alone', () => {
    const guest = new Guest();
    guest.submit(Array.from({ length: 3 }, () => ASID_COMMAND));
    guest.stuck = true;
    expect(guest.submit([ASID_COMMAND])).toBe(ETIMEDOUT);
    expect(guest.commands.completed).toBe(0);
  });

  test('outside memory is a mistake', () => {
    const guest = new Guest();
    const { length } = guest.rig.words;
    expect(() => guest.commands.submit(length - 4, 2)).toThrow('count = 2');
    expect(() => guest.commands.submit(-1, 0)).toThrow('from = -1');
    expect(() => new GuestCommands(guest.rig.area, 3, SELF, guest.rig.vdevices, { issueRaw() {}, sync() {} })).toThrow(
      'vsmmu = 3',
    );
  });
});
