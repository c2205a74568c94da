import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../../caller/index.ts';
import { System } from '../../selftest/system.test-help.ts';
import { IOAS_ALLOC, IOAS_MAP } from '../../uapi/index.ts';
import { MOCK_DEV_PASID } from '../mock/index.ts';
import {
  ACCESS_NEEDS_PIN,
  ACCESS_SYZ,
  TEST_ACCESS_PAGES,
  TEST_ACCESS_RW,
  TEST_CMD,
  TEST_CREATE_ACCESS,
  TEST_DESTROY_ACCESS_PAGES,
  TEST_MOCK_DOMAIN_FLAGS,
  TEST_MOCK_DOMAIN_REPLACE,
  TEST_SET_TEMP_MEMORY_LIMIT,
  TEST_TRIGGER_IOPF,
  TEST_TRIGGER_VEVENT,
} from './index.ts';
import * as layout from './layout.ts';

const PAGE = BigInt(PAGE_BYTES);

test('every operation is 72 bytes, of which 68 must be given; 24 and 0 are none', () => {
  const structs = Object.values(layout).filter((struct) => 'op' in struct);
  expect(structs.map((struct) => struct.op).sort((a, b) => a - b)).toEqual(Array.from({ length: 23 }, (_, i) => i + 1));
  for (const { nr, minBytes, bytes } of structs) expect([nr, minBytes, bytes]).toEqual([0xa0, 68, 72]);
  const system = new System();
  const device = system.process.open();
  for (const op of [0, 24]) {
    const address = system.process.encode(TEST_CMD, { op });
    expect(system.process.ioctl(device.fd, 0x3ba0, address)).toBe(-95);
  }
  const short = system.process.encode(TEST_SET_TEMP_MEMORY_LIMIT, { op: 9, limit: 12 }, 67);
  expect(system.process.ioctl(device.fd, 0x3ba0, short)).toBe(-22);
  const enough = system.process.encode(TEST_SET_TEMP_MEMORY_LIMIT, { op: 9, limit: 12 }, 68);
  expect(system.process.ioctl(device.fd, 0x3ba0, enough)).toBe(0);
  expect(device.errno(TEST_SET_TEMP_MEMORY_LIMIT, { limit: 11 })).toBe('EINVAL');
  system.expectNothingLeft();
});

test('ids that name something else, and nothing', () => {
  const system = new System();
  const device = system.process.open();
  const id = device.call(IOAS_ALLOC).outIoasId;
  for (const wrong of [id, 99]) {
    expect(device.errno(TEST_MOCK_DOMAIN_REPLACE, { id: wrong, ptId: id })).toBe('ENOENT');
    expect(device.errno(TEST_TRIGGER_IOPF, { devId: wrong })).toBe('ENOENT');
    expect(device.errno(TEST_TRIGGER_VEVENT, { devId: wrong })).toBe('ENOENT');
  }
  const { outIdevId: devId } = device.call(TEST_MOCK_DOMAIN_FLAGS, { id, devFlags: MOCK_DEV_PASID });
  expect(device.errno(TEST_TRIGGER_IOPF, { devId, grpid: 3, perm: 1 })).toBe(''); // whatever becomes of it
  system.expectNothingLeft();
});

test('a fuzzer names an area by its number, and a byte in it', () => {
  const system = new System();
  const { process } = system;
  const device = process.open();
  const ioasId = device.call(IOAS_ALLOC).outIoasId;
  const userVa = process.memory.mmap(2 * PAGE_BYTES);
  process.memory.write(userVa, new Uint8Array(2 * PAGE_BYTES).fill(7, PAGE_BYTES + 5, PAGE_BYTES + 9));
  for (let i = 0n; i < 2n; i++)
    device.call(IOAS_MAP, { ioasId, flags: 7, userVa: userVa + i * PAGE, length: PAGE, iova: (3n + 4n * i) * PAGE });
  const id = device.call(TEST_CREATE_ACCESS, { id: ioasId, flags: ACCESS_NEEDS_PIN }).outAccessFd;
  const uptr = process.place(new Uint8Array(4));
  const second = (offset: bigint): bigint => 1n | (offset << 32n);
  device.call(TEST_ACCESS_RW, { id, iova: second(5n), length: 4n, uptr, flags: ACCESS_SYZ });
  expect([...process.bytes(uptr, 4)]).toEqual([7, 7, 7, 7]);
  expect(device.errno(TEST_ACCESS_RW, { id, iova: 2n, length: 4n, uptr, flags: ACCESS_SYZ })).toBe('ENOENT');
  const pin = { id, iova: second(0n), length: PAGE, uptr: userVa + PAGE, flags: ACCESS_SYZ };
  const { outAccessPagesId: accessPagesId } = device.call(TEST_ACCESS_PAGES, pin);
  expect(device.errno(TEST_DESTROY_ACCESS_PAGES, { id, accessPagesId })).toBe('');
  process.files.close(id);
  system.expectNothingLeft();
});
