import { expect, test } from 'vitest';
import { MemoryFile } from './memory-file.ts';
import { processes } from './process-memory.test-help.ts';
import { WINDOW } from './process-memory.ts';
import { PAGE_BYTES } from './user-memory.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
function readAt(
  memory: { read(address: bigint, into: Uint8Array): boolean },
  address: bigint,
  count: number,
): number[] {
  const into = new Uint8Array(count);
  expect(memory.read(address, into)).toBe(true);
  return [...into];
}

test('what is written is read, across pages', () => {
  const { parent } = processes();
  const at = parent.mmap(2 * PAGE_BYTES) + BigInt(PAGE_BYTES - 2);
  expect(parent.write(at, bytes(1, 2, 3, 4))).toBe(true);
  expect(readAt(parent, at, 4)).toEqual([1, 2, 3, 4]);
});

test('where nothing is mapped there is a fault, and what came before it is written', () => {
  const { parent } = processes();
  const at = parent.mmap(PAGE_BYTES);
  expect(parent.write(at + BigInt(PAGE_BYTES - 1), bytes(7, 8))).toBe(false);
  expect(readAt(parent, at + BigInt(PAGE_BYTES - 1), 1)).toEqual([7]);
  for (const address of [0n, WINDOW - 1n, 2n ** 64n - 1n]) {
    expect(parent.read(address, new Uint8Array(1))).toBe(false);
    expect(parent.pin(address, false)).toBe(-1);
  }
});

test('a page that may not be written is neither written nor pinned for writing', () => {
  const { parent } = processes();
  const at = parent.mmap(PAGE_BYTES, { writable: false });
  expect(parent.write(at, bytes(1))).toBe(false);
  expect(parent.pin(at, true)).toBe(-1);
  expect(parent.pin(at, false)).toBeGreaterThan(0);
});

test('a pinned page outlives its mapping', () => {
  const { parent, ram } = processes();
  const at = parent.mmap(PAGE_BYTES);
  parent.write(at, bytes(9));
  const physical = parent.pin(at, true);
  parent.munmap(at, PAGE_BYTES);
  expect(ram.used()).toBe(1);
  expect(ram.bytes[physical]).toBe(9);
  parent.unpin(physical);
  expect(ram.used()).toBe(0);
  expect(() => parent.unpin(physical)).toThrow(/is not pinned/);
});

test('after a fork each has its own bytes, and shares a file', () => {
  const { parent, child, ram } = processes();
  const file = MemoryFile.create(ram, PAGE_BYTES);
  const own = parent.mmap(PAGE_BYTES);
  const shared = parent.mmap(PAGE_BYTES, { frames: file.frames });
  parent.write(own, bytes(1));
  parent.forkInto(child);
  parent.write(own, bytes(2));
  parent.write(shared, bytes(3));
  expect(readAt(child, own, 1)).toEqual([1]);
  expect(readAt(child, shared, 1)).toEqual([3]);
  parent.exit();
  child.exit();
  file.close();
  expect(ram.used()).toBe(0);
});

test('pinning for writing gives a process its own page first; one that is pinned is copied at the fork', () => {
  const { parent, child } = processes();
  const at = parent.mmap(2 * PAGE_BYTES);
  const before = parent.pin(at, true);
  parent.forkInto(child);
  expect(child.frameAt(at) * PAGE_BYTES).not.toBe(before);
  expect(parent.frameAt(at) * PAGE_BYTES).toBe(before);
  const later = at + BigInt(PAGE_BYTES);
  expect(child.frameAt(later)).toBe(parent.frameAt(later));
  expect(child.pin(later, true)).not.toBe(parent.frameAt(later) * PAGE_BYTES);
});

test('huge pages are contiguous', () => {
  const { parent } = processes();
  parent.mmap(PAGE_BYTES);
  const at = parent.mmap(8 * PAGE_BYTES, { huge: true });
  expect((at - WINDOW) % BigInt(8 * PAGE_BYTES)).toBe(0n);
  const first = parent.frameAt(at);
  for (let i = 0; i < 8; i++) expect(parent.frameAt(at + BigInt(i * PAGE_BYTES))).toBe(first + i);
});

test('locked pages have a limit', () => {
  const { parent } = processes({ limit: 4 });
  expect(parent.charge(3)).toBe(true);
  expect(parent.charge(2)).toBe(false);
  parent.uncharge(1);
  expect(parent.charge(2)).toBe(true);
  expect(parent.charged()).toBe(4);
  expect(() => parent.uncharge(5)).toThrow(/more than was charged/);
});
