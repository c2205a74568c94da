import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { attachDevice, detachDevice, replaceDevice, unbindDevice } from '../device/index.ts';
import { FAULT_QUEUE } from '../objects/index.ts';
import { type MockFault, triggerMockFault } from '../testing/mock/index.ts';
import { makeRig, refusalOf } from '../testing/rig.test-help.ts';
import {
  FAULT_QUEUE_ALLOC,
  HWPT_ALLOC,
  HWPT_FAULT_ID_VALID,
  IOAS_ALLOC,
  OBJ_FAULT,
  PAGE_RESPONSE,
  PGFAULT,
} from '../uapi/index.ts';
import { FaultFile, POLLIN, POLLOUT, POLLRDNORM } from './fault-file.ts';

const RECORD = PGFAULT.bytes;

function faultRig() {
  const rig = makeRig();
  const { context, lab, memory } = rig;
  const id = rig.bind(1);
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const { outFaultId: faultId, outFaultFd: fd } = rig.call(FAULT_QUEUE_ALLOC);
  const hwptId = rig.call(HWPT_ALLOC, { devId: id, ptId: ioasId, flags: HWPT_FAULT_ID_VALID, faultId }).outHwptId;
  attachDevice(context, id, { ptId: hwptId });
  const fault = context.objects.get('test', 'fault_id', faultId, OBJ_FAULT);
  const file = new FaultFile(lab.machine, context.words[context.objects.at(fault) + FAULT_QUEUE]);
  context.objects.put(fault);
  const buffer = memory.mmap(2 * PAGE_BYTES);
  const trigger = (grpid: number, more: Partial<MockFault> = {}): number =>
    triggerMockFault(lab.machine, { device: 1, pasid: 0, grpid, perm: 3, page: 1, ...more });
  const read = (count: number, at = 0): number => file.read(memory, buffer + BigInt(at), count);
  const record = (index: number): number[] => {
    const bytes = new Uint8Array(RECORD);
    memory.read(buffer + BigInt(index * RECORD), bytes);
    return [...new Uint32Array(bytes.buffer)];
  };
  const cookieOf = (index: number): number => record(index)[PGFAULT.cookie / 4];
  const write = (...answers: readonly (readonly [cookie: number, code: number])[]): number => {
    memory.write(buffer, new Uint8Array(Uint32Array.from(answers.flat()).buffer));
    return file.write(memory, buffer, answers.length * PAGE_RESPONSE.bytes);
  };
  return { ...rig, id, ioasId, faultId, fd, hwptId, file, buffer, trigger, read, record, cookieOf, write };
}

test('records are those of the kernel, by byte', () => {
  const { trigger, read, record, id, write, cookieOf, lab } = faultRig();
  trigger(7, { page: 2 ** 52 - 2 });
  expect(read(RECORD)).toBe(RECORD);
  // flags, dev_id, pasid, grpid, perm, reserved, addr (2), length, cookie
  expect(record(0).slice(0, 9)).toEqual([2, id, 0, 7, 3, 0, 0xffffe000, 0xffffffff, 0]);
  expect(write([cookieOf(0), 0])).toBe(PAGE_RESPONSE.bytes);
  expect(lab.answers).toEqual([{ grpid: 7, code: 0 }]);
});

test('counts and positions that a file of records has not', () => {
  const { file, memory, buffer, read, trigger } = faultRig();
  expect(read(RECORD)).toBe(0);
  expect(read(0)).toBe(0);
  for (const count of [39, 41]) expect(refusalOf(() => read(count))).toBe('ESPIPE count');
  expect(refusalOf(() => file.read(memory, buffer, RECORD, RECORD))).toBe('ESPIPE offset');
  expect(refusalOf(() => file.write(memory, buffer, 7))).toBe('ESPIPE count');
  expect(refusalOf(() => file.write(memory, buffer, 8, 8))).toBe('ESPIPE offset');
  expect(file.write(memory, buffer, 0)).toBe(0);
  expect(refusalOf(() => read(-RECORD))).toBe('EINVAL count');
  expect(refusalOf(() => file.write(memory, buffer, -8))).toBe('EINVAL count');
  trigger(1);
  expect(refusalOf(() => read(0))).toBe('EINVAL count');
});

test('poll', () => {
  const { file, trigger, read } = faultRig();
  expect(file.poll()).toBe(POLLOUT);
  trigger(1);
  expect(file.poll()).toBe(POLLIN | POLLOUT | POLLRDNORM);
  read(RECORD);
  expect(file.poll()).toBe(POLLOUT);
});

test('whole groups only, oldest first, as many as fit', () => {
  const { trigger, read, record } = faultRig();
  trigger(1, { page: 10, last: false });
  trigger(1, { page: 11 });
  trigger(2, { page: 20 });
  trigger(3, { page: 30, last: false });
  trigger(3, { page: 31 });
  expect(refusalOf(() => read(RECORD))).toBe('EINVAL count'); // the first group has two
  expect(read(4 * RECORD)).toBe(3 * RECORD);
  expect([0, 1, 2].map((i) => record(i)[PGFAULT.addr / 4])).toEqual([10 << 12, 11 << 12, 20 << 12]);
  expect(record(0)[PGFAULT.cookie / 4]).toBe(record(1)[PGFAULT.cookie / 4]);
  expect(read(4 * RECORD)).toBe(2 * RECORD);
});

test('a group whose copy fails half-way is put back whole', () => {
  const { trigger, read, buffer, memory, file, cookieOf, write } = faultRig();
  trigger(1);
  trigger(2, { last: false });
  trigger(2);
  const end = 2 * PAGE_BYTES - 2 * RECORD; // room for two records before memory ends
  expect(file.read(memory, buffer + BigInt(end), 3 * RECORD)).toBe(RECORD);
  expect(refusalOf(() => file.read(memory, 0n, 3 * RECORD))).toBe('EFAULT buffer');
  expect(read(2 * RECORD)).toBe(2 * RECORD);
  expect(write([cookieOf(0), 0])).toBe(PAGE_RESPONSE.bytes);
});

test('answers are taken in order, up to the first that is refused', () => {
  const { trigger, read, cookieOf, write, lab, file, memory } = faultRig();
  for (const grpid of [1, 2, 3]) trigger(grpid);
  read(3 * RECORD);
  const [first, second, third] = [0, 1, 2].map(cookieOf);
  expect(refusalOf(() => write([first, 2]))).toBe('EINVAL code');
  expect(refusalOf(() => file.write(memory, 0n, 8))).toBe('EFAULT buffer');
  expect(write([second, 0], [second, 0], [third, 0])).toBe(PAGE_RESPONSE.bytes);
  expect(refusalOf(() => write([second, 0]))).toBe('EINVAL cookie');
  expect(write([third, 1], [first, 0])).toBe(2 * PAGE_RESPONSE.bytes);
  expect(lab.answers).toEqual([
    { grpid: 2, code: 0 },
    { grpid: 3, code: 1 },
    { grpid: 1, code: 0 },
  ]);
});

test('replaced, detached, destroyed: what was read or not is answered Invalid, once, and its cookie is nobody’s', () => {
  const rig = faultRig();
  const { trigger, read, cookieOf, write, lab, context, id, ioasId, hwptId, faultId, fd } = rig;
  for (const grpid of [1, 2]) trigger(grpid);
  read(2 * RECORD);
  const cookies = [0, 1].map(cookieOf);
  trigger(3);
  replaceDevice(context, id, { ptId: ioasId });
  expect(lab.answers.map(({ grpid, code }) => [grpid, code]).sort()).toEqual([
    [1, 1],
    [2, 1],
    [3, 1],
  ]);
  expect(read(RECORD)).toBe(0);
  for (const cookie of cookies) expect(refusalOf(() => write([cookie, 0]))).toBe('EINVAL cookie');
  trigger(4); // no domain that can fault: refused by the report
  expect(read(RECORD)).toBe(0);
  expect(lab.answers.at(-1)).toEqual({ grpid: 4, code: 1 });
  replaceDevice(context, id, { ptId: hwptId });
  trigger(5);
  expect(read(RECORD)).toBe(RECORD);
  expect(refusalOf(() => rig.destroy(hwptId))).toBe('EBUSY id');
  detachDevice(context, id);
  expect(lab.answers).toHaveLength(5);
  rig.destroy(hwptId);
  expect(refusalOf(() => rig.destroy(faultId))).toBe('EBUSY id'); // its file is open
  rig.lab.caller(1).files.close(fd);
  rig.destroy(faultId);
  unbindDevice(context, id);
  rig.expectNothingLeft();
});

test('a cookie is good once its group is out: an answer to what is still being copied is refused, and the group stays whole', () => {
  const { file, memory, buffer, read, record, trigger, write, cookieOf, lab } = faultRig();
  trigger(7, { last: false });
  trigger(7);
  const early: string[] = [];
  const copying: typeof memory = Object.create(memory, {
    write: {
      value(address: bigint, from: Uint8Array) {
        memory.write(address, from.subarray(0, RECORD));
        early.push(refusalOf(() => file.queue.respond(cookieOf(0), 0)));
        return false;
      },
    },
  });
  expect(refusalOf(() => file.read(copying, buffer, 2 * RECORD))).toBe('EFAULT buffer');
  expect(early).toEqual(['EINVAL cookie']);
  expect(lab.answers).toEqual([]);
  expect(read(2 * RECORD)).toBe(2 * RECORD);
  expect(record(1)[PGFAULT.grpid / 4]).toBe(7);
  write([cookieOf(1), 0]);
  expect(lab.answers).toEqual([{ grpid: 7, code: 0 }]);
});

test('groups that are copied at once: those before the one that cannot be copied are delivered, the others wait in order', () => {
  const { memory, buffer, read, record, trigger, write, cookieOf, file, lab } = faultRig();
  for (const grpid of [1, 2, 3, 4]) trigger(grpid);
  const copying: typeof memory = Object.create(memory, {
    write: {
      // A page ends behind the second record.
      value: (address: bigint, from: Uint8Array) =>
        address + BigInt(from.length) <= buffer + BigInt(2 * RECORD) && memory.write(address, from),
    },
  });
  expect(file.read(copying, buffer, 4 * RECORD)).toBe(2 * RECORD);
  const cookies = [cookieOf(0), cookieOf(1)];
  expect([0, 1].map((at) => record(at)[PGFAULT.grpid / 4])).toEqual([1, 2]);
  expect(read(4 * RECORD)).toBe(2 * RECORD);
  expect([0, 1].map((at) => record(at)[PGFAULT.grpid / 4])).toEqual([3, 4]);
  write([cookies[1], 0], [cookies[0], 1], [cookieOf(0), 0], [cookieOf(1), 1]);
  expect(lab.answers.map(({ grpid, code }) => [grpid, code])).toEqual([
    [2, 0],
    [1, 1],
    [3, 0],
    [4, 1],
  ]);
});

test('a group that comes while a read finds none refuses nothing', () => {
  const { file, memory, buffer, trigger, lab, read } = faultRig();
  const load = Atomics.load;
  let loads = 0;
  const late = (at: number): number => {
    loads = 0;
    Atomics.load = ((...args: Parameters<typeof load>) => {
      const value = load(...args);
      if (loads++ === at) {
        Atomics.load = load;
        lab.machine.answering(() => trigger(loads));
      }
      return value;
    }) as typeof load;
    try {
      return file.read(memory, buffer, RECORD);
    } finally {
      Atomics.load = load;
    }
  };
  for (let at = 0; at < 8; at++) {
    const got = late(at);
    expect([0, RECORD]).toContain(got);
    while (read(RECORD) !== 0);
  }
  expect(file.read(memory, buffer, 0)).toBe(0);
  trigger(9);
  expect(refusalOf(() => file.read(memory, buffer, 0))).toBe('EINVAL count');
});
