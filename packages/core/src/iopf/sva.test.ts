import { beforeEach, expect, test } from 'vitest';
import { attachDomain } from './attach.ts';
import { allocDomain } from './domain.ts';
import { HANDLER_SVA } from './layout.ts';
import type { AddressSpace } from './mm.ts';
import {
  FAULT_PERM_EXEC,
  FAULT_PERM_PRIV,
  FAULT_PERM_READ,
  FAULT_PERM_WRITE,
  RESPONSE_INVALID,
  RESPONSE_SUCCESS,
} from './record.ts';
import { handleSvaGroup } from './sva.ts';
import { OneThread } from './testing/bench-system.ts';

/** Pages 10 to 19 may be read, 20 to 29 read and written. Page 15 cannot be made present. */
class SmallMm implements AddressSpace {
  readonly present: number[] = [];
  readonly leases: (boolean | undefined)[] = [];
  alive = true;
  users = 0;
  locks = 0;
  getUsers(): boolean {
    if (this.alive) this.users++;
    return this.alive;
  }
  putUsers(): void {
    this.users--;
  }
  readLock(): void {
    this.locks++;
  }
  readUnlock(): void {
    this.locks--;
  }
  findArea(pageLo: number, pageHi: number): number {
    expect([this.locks, pageHi]).toEqual([1, 0]);
    return pageLo >= 10 && pageLo < 30 ? Math.floor(pageLo / 10) : 0;
  }
  areaPerm(area: number): number {
    return area === 1 ? FAULT_PERM_READ : FAULT_PERM_READ | FAULT_PERM_WRITE;
  }
  handleMmFault(_area: number, pageLo: number, pageHi: number, _perm: number, lease?: boolean): boolean {
    expect([this.locks, pageHi]).toEqual([1, 0]);
    if (pageLo === 15) return false;
    this.present.push(pageLo);
    this.leases.push(lease);
    return true;
  }
}

const PASID = 3;
let one: OneThread;
let mm: SmallMm;

beforeEach(() => {
  one = new OneThread('lockless');
  mm = new SmallMm();
  const domain = allocDomain(one.system, { handler: HANDLER_SVA, mm: 1 });
  one.path.addDevice(1);
  for (const pasid of [0, PASID]) attachDomain(one.system, 1, pasid, domain);
});

/** Reports a group of requests and handles it. */
function handle(...requests: { page: number; perm?: number; pasid?: number | undefined }[]): number {
  requests.forEach((request, i) => {
    const pasid = 'pasid' in request ? {} : { pasid: PASID };
    one.report({
      grpid: 1,
      ...pasid,
      page: request.page,
      offset: request.page % 2 === 0 ? 0xfff : 0, // an address space knows pages
      perm: request.perm ?? FAULT_PERM_READ,
      last: i === requests.length - 1,
    });
  });
  const [group] = one.take();
  const code = handleSvaGroup(one.system, group, mm);
  one.finish(group, code);
  expect([mm.users, mm.locks]).toEqual([0, 0]); // whatever came of it
  return code;
}

test('each page of a group is made present, oldest first', () => {
  expect(handle({ page: 12 }, { page: 11 }, { page: 20 })).toBe(RESPONSE_SUCCESS);
  expect(mm.present).toEqual([12, 11, 20]);
});

test('the first request that fails decides, and the rest are skipped', () => {
  expect(handle({ page: 12 }, { page: 99 }, { page: 13 })).toBe(RESPONSE_INVALID);
  expect(mm.present).toEqual([12]);
});

test.each([
  ['outside every area', { page: 5 }],
  ['a write where only reads are granted', { page: 11, perm: FAULT_PERM_WRITE }],
  ['an execution where none is granted', { page: 21, perm: FAULT_PERM_READ | FAULT_PERM_EXEC }],
  ['a page that cannot be made present', { page: 15 }],
  ['a request without a PASID', { page: 12, pasid: undefined }],
])('%s is invalid', (_what, request) => {
  expect(handle(request)).toBe(RESPONSE_INVALID);
  expect(mm.present).toEqual([]);
});

test('each page of a group is leased, where the handler asks for that', () => {
  handle({ page: 12 });
  one.report({ grpid: 1, pasid: PASID, page: 13, perm: FAULT_PERM_READ, last: false });
  one.report({ grpid: 1, pasid: PASID, page: 14, perm: FAULT_PERM_READ });
  const [group] = one.take();
  one.finish(group, handleSvaGroup(one.system, group, mm, true));
  expect(mm.leases).toEqual([false, true, true]);
});

test('an address space that is going away is invalid, and its lock is not taken', () => {
  mm.alive = false;
  expect(handle({ page: 12 })).toBe(RESPONSE_INVALID);
});

test('privilege alone asks for nothing that an area grants or refuses', () => {
  expect(handle({ page: 12, perm: FAULT_PERM_PRIV })).toBe(RESPONSE_SUCCESS);
});
