// A page request through the fault file, as the kernel's own test brings it: PASID 1, group 2.
import { expect } from 'vitest';
import { POLLIN, POLLOUT, POLLRDNORM } from '../files/fault-file.ts';
import { TEST_TRIGGER_IOPF } from '../testing/test-commands/index.ts';
import { PAGE_RESPONSE, PGFAULT } from '../uapi/index.ts';
import { type Device, errnoName } from './system.test-help.ts';

const READ_WRITE = 3;
const PASID_VALID_AND_LAST = 3;

/** Reports a fault, reads it and answers it, by one read and one write. */
export function answerOneFault(device: Device, devId: number, fd: number, pasid: number = 1): void {
  const { process } = device;
  const record = process.place(new Uint8Array(PGFAULT.bytes));
  expect(process.poll(fd)).toBe(POLLOUT);
  expect(process.read(fd, record, PGFAULT.bytes)).toBe(0);
  device.call(TEST_TRIGGER_IOPF, { devId, pasid, grpid: 2, perm: READ_WRITE, addr: 0xdeadbeafn });
  expect(process.poll(fd)).toBe(POLLIN | POLLOUT | POLLRDNORM);
  expect(errnoName(process.read(fd, record, PGFAULT.bytes - 1))).toBe('ESPIPE');
  expect(errnoName(process.read(fd, record, PGFAULT.bytes, PGFAULT.bytes))).toBe('ESPIPE');
  expect(process.read(fd, record, PGFAULT.bytes)).toBe(PGFAULT.bytes);
  const fault = new DataView(process.bytes(record, PGFAULT.bytes).buffer);
  expect(
    [PGFAULT.flags, PGFAULT.devId, PGFAULT.pasid, PGFAULT.grpid, PGFAULT.perm].map((at) => fault.getUint32(at, true)),
  ).toEqual([PASID_VALID_AND_LAST, devId, pasid, 2, READ_WRITE]);
  expect(fault.getBigUint64(PGFAULT.addr, true)).toBe(0xdeadbeafn);
  const response = process.words(fault.getUint32(PGFAULT.cookie, true), 0);
  expect(process.write(fd, response, PAGE_RESPONSE.bytes)).toBe(PAGE_RESPONSE.bytes);
  expect(errnoName(process.write(fd, response, PAGE_RESPONSE.bytes))).toBe('EINVAL'); // it names nothing any more
}
