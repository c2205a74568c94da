import { expect, test } from 'vitest';
import * as registers from './registers.ts';
import { baseEntries, baseWordAt, MMIO_REGISTERS, writeBase } from './registers.ts';

const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));

test('a base register by hand, both ways', () => {
  const words = new Int32Array(2);
  writeBase(words, 0, 0x54321 * 1024, 512);
  expect(hex(words)).toEqual(['54321000', '09000000']);
  expect([baseEntries(words, 0), baseWordAt(words, 0)]).toEqual([512, 0x54321 * 1024]);
  words[1] = 7 << 24;
  expect(baseEntries(words, 0)).toBe(0);
  expect(() => writeBase(words, 0, 1024, 128)).toThrow('entries = 128');
  expect(() => writeBase(words, 0, 1000, 256)).toThrow('4 KiB aligned');
});

test.each([
  [8, 256],
  [9, 512],
  [15, 32768],
])('length code %i is %i entries', (code, entries) => {
  const words = new Int32Array(2);
  writeBase(words, 0, 1024, entries);
  expect([words[1] >>> 24, baseEntries(words, 0)]).toEqual([code, entries]);
});

test('where the registers are', () => {
  const offsets = Object.fromEntries(MMIO_REGISTERS.map(({ name, offset }) => [name, offset]));
  expect(offsets).toEqual({
    ...{
      DEVICE_TABLE_BASE: 0,
      COMMAND_BASE: 8,
      EVENT_BASE: 0x10,
      CONTROL: 0x18,
      EXTENDED_FEATURES: 0x30,
      PPR_BASE: 0x38,
    },
    ...{ COMMAND_HEAD: 0x2000, COMMAND_TAIL: 0x2008, EVENT_HEAD: 0x2010, EVENT_TAIL: 0x2018, STATUS: 0x2020 },
    ...{ PPR_HEAD: 0x2030, PPR_TAIL: 0x2038, PPR_AUTO_RESPONSE: 0x2080, PPR_EARLY: 0x2088 },
  });
});

/** Bit numbers, by hand: those of CONTROL and EXTENDED_FEATURES count on in the high word. */
const BITS = {
  ...{
    CONTROL_IOMMU_EN: 0,
    CONTROL_EVTLOG_EN: 2,
    CONTROL_EVTINT_EN: 3,
    CONTROL_COMWAITINT_EN: 4,
    CONTROL_CMDBUF_EN: 12,
  },
  ...{ CONTROL_PPRLOG_EN: 13, CONTROL_PPRINT_EN: 14, CONTROL_PPR_EN: 15, CONTROL_GT_EN: 16 },
  ...{ CONTROL_HI_PPR_AUTO_RSP_EN: 39, CONTROL_HI_BLK_STOP_MRK_EN: 41, CONTROL_HI_PPR_AUTO_RSP_AON: 42 },
  ...{ STATUS_EVT_OVERFLOW: 0, STATUS_EVT_INT: 1, STATUS_COMWAIT_INT: 2, STATUS_EVT_RUN: 3, STATUS_CMD_RUN: 4 },
  ...{ STATUS_PPR_OVERFLOW: 5, STATUS_PPR_INT: 6, STATUS_PPR_RUN: 7, STATUS_PPR_EARLY: 18 },
  ...{ EFR_PPR: 1, EFR_GT: 4, EFR_IA: 6, EFR_HI_PPR_EARLY: 40, EFR_HI_PPR_AUTO_RSP: 41, EFR_HI_BLK_STOP_MRK: 44 },
  ...{ EFR_HI_GIO: 48, AUTO_RESPONSE_MASK_GN: 4, EARLY_INT_EN: 30, EARLY_EN: 31 },
};

test.each(Object.entries(BITS))('%s is bit %i', (name, bit) => {
  expect(new Map<string, unknown>(Object.entries(registers)).get(name)).toBe((1 << (bit % 32)) | 0);
});

test('fields of more than a bit', () => {
  expect(registers.CONTROL_INV_TIMEOUT_MASK).toBe(0xe0); // InvTimeOut 7:5
  expect([registers.EFR_GLX_SHIFT, registers.EFR_HI_PASMAX_MASK]).toEqual([14, 0x1f]); // GLXSup 15:14, PASMax 36:32
  expect([registers.AUTO_RESPONSE_CODE_MASK, registers.EARLY_THRESHOLD_MASK]).toEqual([0xf, 0x7fff]);
  expect(registers.STATUS_W1C).toBe(0x40067); // overflows, interrupts, the warning; no RUN bit
});
