import { LINE } from '@faultline/core/sync';
import { expect, test } from 'vitest';
import { AtsCapability } from './ats-capability.ts';
import {
  ATS_BYTES,
  ATS_CAPABILITY,
  ATS_CONTROL,
  PRI_ALLOC_REQUESTS,
  PRI_BYTES,
  PRI_CONTROL,
  PRI_MAX_REQUESTS,
  PRI_STATUS,
  readAtsCapability,
  readPriCapability,
} from './config-space.ts';
import { type FunctionConfig, functionWords, initFunction } from './function.layout.ts';
import { InterfaceState } from './interface-state.ts';
import { PriCapability } from './pri-capability.ts';

const AT: number = LINE;
const hex = (dwords: Int32Array): string[] => Array.from(dwords, (d) => (d >>> 0).toString(16).padStart(8, '0'));

function lay(config: Partial<FunctionConfig> = {}): Int32Array<SharedArrayBuffer> {
  const words = new Int32Array(new SharedArrayBuffer((LINE + functionWords()) * 4));
  initFunction(words, AT, { capacity: 0x123, ...config });
  return words;
}

test('offsets and sizes, in bytes from the header', () => {
  expect([ATS_CAPABILITY, ATS_CONTROL, ATS_BYTES]).toEqual([4, 6, 8]);
  expect([PRI_CONTROL, PRI_STATUS, PRI_MAX_REQUESTS, PRI_ALLOC_REQUESTS, PRI_BYTES]).toEqual([4, 6, 8, 12, 16]);
});

test.each([
  [32, '00000020'], // 0 means 32; bit 5 is Page Aligned Request
  [31, '0000003f'],
  [1, '00000021'],
])('ATS: a queue of %i invalidations', (invalidateDepth, dword) => {
  expect(hex(readAtsCapability(lay({ invalidateDepth }), AT, 0x2a0))).toEqual(['2a01000f', dword]);
});

test('ATS control: Enable is bit 15, STU counts from 4 KiB', () => {
  const words = lay();
  const ats = new AtsCapability(words, AT);
  ats.enable(21); // 2 MiB: STU 9
  expect(hex(readAtsCapability(words, AT))).toEqual(['0001000f', '80090020']);
  ats.disable();
  ats.enable(12);
  expect(hex(readAtsCapability(words, AT))).toEqual(['0001000f', '80000020']);
  ats.disable();
  expect(hex(readAtsCapability(words, AT))).toEqual(['0001000f', '00000020']);
});

test('PRI: control, status, capacity and allocation through a life', () => {
  const words = lay();
  new AtsCapability(words, AT).enable(12);
  const pri = new PriCapability(words, AT, []);
  const state = new InterfaceState(words, AT, 0);
  const read = (): string[] => hex(readPriCapability(words, AT));
  expect(read()).toEqual(['00010013', '81000000', '00000123', '00000000']); // Stopped, PRG Response PASID Required
  pri.enable(32);
  expect(read()).toEqual(['00010013', '80000001', '00000123', '00000020']);
  state.enter(false);
  state.fail();
  state.setUnexpected();
  pri.disable();
  expect(read()).toEqual(['00010013', '80030000', '00000123', '00000020']); // RF and UPRGI; requests are outstanding
  state.leave();
  expect(read()).toEqual(['00010013', '81030000', '00000123', '00000020']);
  pri.reset();
  expect(read()).toEqual(['00010013', '81030000', '00000123', '00000020']); // Reset reads as 0, and clears no status
  pri.enable(1000);
  expect(read()).toEqual(['00010013', '80000001', '00000123', '00000123']); // enabling does
  expect(hex(readPriCapability(lay({ pasidRequired: false }), AT))).toEqual([
    '00010013',
    '01000000',
    '00000123',
    '00000000',
  ]);
});

test('refuses words without a function', () => {
  const words = new Int32Array(new SharedArrayBuffer(4096));
  expect(() => readPriCapability(words, LINE)).toThrow('(EINVAL)');
  expect(() => readAtsCapability(words, LINE)).toThrow('(EINVAL)');
});
