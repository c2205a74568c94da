import type { IopfSystem } from '@faultline/core/iopf';
import { FAULT_DEVICE, FAULT_GRPID, REQUEST_WORDS } from '@faultline/core/iopf';
import { expect, test } from 'vitest';
import { GroupKeyTable, groupKeyTableWords } from './group-key-table.ts';

const OBJECTS = 8192;

function open(groups: readonly (readonly [device: number, grpid: number])[]): GroupKeyTable {
  const words = new Int32Array(new SharedArrayBuffer(4 * (OBJECTS + 32 * REQUEST_WORDS)));
  groups.forEach(([device, grpid], i) => {
    words[OBJECTS + (i + 1) * REQUEST_WORDS + FAULT_DEVICE] = device;
    words[OBJECTS + (i + 1) * REQUEST_WORDS + FAULT_GRPID] = grpid;
  });
  const system = { words, config: { devices: 2 }, requests: { objects: OBJECTS } } as unknown as IopfSystem;
  return new GroupKeyTable(system, 32);
}

test('a key is the device and its number for the group', () => {
  const keys = open([
    [1, 5],
    [2, 5],
  ]);
  const [first, second] = [1, 2].map((group) => {
    const key = keys.reserve(group);
    keys.publish(key, group);
    return key;
  });
  expect([keys.redeem(second), keys.redeem(second), keys.redeem(first)]).toEqual([2, 0, 1]);
});

test('a number that is used again: the second group has no key of its own', () => {
  const keys = open([
    [1, 5],
    [1, 5],
  ]);
  const key = keys.reserve(1);
  keys.publish(key, 1);
  keys.publish(keys.reserve(2), 2);
  expect([keys.redeem(key), keys.redeem(key)]).toEqual([1, 0]);
});

test('what is taken back automatically is not redeemed', () => {
  const keys = open([[1, 5]]);
  const key = keys.reserve(1);
  keys.publish(key, 1);
  expect(keys.redeemSlot(key, keys.heldAt(key))).toBe(true);
  expect(keys.redeem(key)).toBe(0);
});

test.each([0, -1, 2 ** 31, groupKeyTableWords(2), Number.NaN])('%s is no key', (key) => {
  expect(open([]).redeem(key)).toBe(0);
});

test('a number that PCIe has not', () => {
  expect(() => open([[1, 512]]).reserve(1)).toThrow(/grpid = 512/);
});
