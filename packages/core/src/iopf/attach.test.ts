import { beforeEach, describe, expect, test } from 'vitest';
import { attachDomain, detachDomain, replaceDomain } from './attach.ts';
import { allocDomain, freeDomain } from './domain.ts';
import { HANDLER_NOOP } from './layout.ts';
import type { IopfSystem } from './system.ts';
import { OneThread } from './testing/bench-system.ts';

let system: IopfSystem;
let one: OneThread;
let domain: number;
/** PASIDs of one block share a node of the attach array, and it has few nodes. */
const BLOCK = 1024;

const refusal = (code: string, field: string): unknown => expect.objectContaining({ name: 'IommuError', code, field });

beforeEach(() => {
  one = new OneThread('lockless');
  system = one.system;
  domain = allocDomain(system, { handler: HANDLER_NOOP });
});

/** Detaches the PASIDs, and finds that nothing was left behind by what was refused. */
function expectNothingLeft(pasids: readonly number[]): void {
  for (const pasid of pasids) expect(detachDomain(system, 1, pasid)).toBe(domain);
  one.settle();
  expect(system.handles.live()).toBe(0);
  freeDomain(system, domain); // EBUSY if an attachment were still counted
}

describe('attach, replace and detach', () => {
  test('find, exchange and remove what is attached at a PASID', () => {
    const other = allocDomain(system, { handler: HANDLER_NOOP });
    attachDomain(system, 1, 5, domain);
    expect(replaceDomain(system, 1, 5, other)).toBe(domain);
    expect(replaceDomain(system, 1, 5, domain)).toBe(other);
    freeDomain(system, other);
    expectNothingLeft([5]);
  });

  test('a second attach is refused', () => {
    attachDomain(system, 1, 0, domain);
    expect(() => attachDomain(system, 1, 0, domain)).toThrow(refusal('EBUSY', 'pasid') as Error);
    expectNothingLeft([0]);
  });

  test('what is not there cannot be replaced or detached', () => {
    expect(() => replaceDomain(system, 1, 0, domain)).toThrow(refusal('ENOENT', 'pasid') as Error);
    expect(() => detachDomain(system, 1, 0)).toThrow(refusal('ENOENT', 'pasid') as Error);
    expectNothingLeft([]);
  });

  test.each([
    ['device', () => attachDomain(system, 0, 0, domain)],
    ['device', () => attachDomain(system, 3, 0, domain)],
    ['pasid', () => attachDomain(system, 1, 2 ** 20, domain)],
    ['pasid', () => attachDomain(system, 1, -1, domain)],
    ['domain', () => attachDomain(system, 1, 0, 99)],
  ])('a bad %s is refused by name', (field, attach) => {
    expect(attach).toThrow(refusal('EINVAL', field) as Error);
    expectNothingLeft([]);
  });

  test('a domain that is not there is refused, and takes no handle with it', () => {
    expect(() => attachDomain(system, 1, 0, domain + 1)).toThrow(refusal('ENOENT', 'domain') as Error);
    attachDomain(system, 1, 0, domain);
    expect(() => replaceDomain(system, 1, 0, domain + 1)).toThrow(refusal('ENOENT', 'domain') as Error);
    expectNothingLeft([0]);
  });

  test('an attach array without room refuses, and neither counts the attachment nor keeps a lock', () => {
    const pasids: number[] = [];
    const fill = (): void => {
      for (let pasid = 0; pasid < 64 * BLOCK; pasid += BLOCK) {
        attachDomain(system, 1, pasid, domain);
        pasids.push(pasid);
      }
    };
    expect(fill).toThrow(expect.objectContaining({ name: 'IommuError', code: 'ENOMEM' }) as Error);
    attachDomain(system, 1, 1, domain); // the first block has room, and no lock is held
    expectNothingLeft([...pasids, 1]);
  });

  test('a domain that is freed in the middle of an attach is not attached', () => {
    const { add } = Atomics;
    const restore = (): void => {
      Atomics.add = add;
    };
    Atomics.add = ((words: Int32Array, at: number, n: number) => {
      restore();
      freeDomain(system, domain); // the other thread's whole call, right before this one counts itself
      return add(words, at, n);
    }) as typeof Atomics.add;
    expect(() => attachDomain(system, 1, 0, domain)).toThrow(refusal('ENOENT', 'domain') as Error);
    restore();
    expect(allocDomain(system, { handler: HANDLER_NOOP })).toBe(domain); // its place is free, and counts nothing
    attachDomain(system, 1, 0, domain);
    expectNothingLeft([0]);
  });

  test('handles that are used up refuse, and take no attachment with them', () => {
    const pasids: number[] = [];
    const fill = (): void => {
      for (let pasid = 0; pasid < BLOCK; pasid++) {
        attachDomain(system, 1, pasid, domain);
        pasids.push(pasid);
      }
    };
    expect(fill).toThrow(refusal('ENOMEM', 'device') as Error);
    expect(pasids.length).toBe(system.handles.capacity);
    expectNothingLeft(pasids);
  });
});
