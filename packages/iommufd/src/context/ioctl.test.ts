import { describe, expect, test } from 'vitest';
import { makeByteRig } from '../testing/bytes.test-help.ts';
import * as uapi from '../uapi/index.ts';
import { COMMANDS } from './index.ts';

const { DESTROY, IOAS_ALLOC, IOAS_MAP, OPTION } = uapi;

describe('a request that is none', () => {
  test.each([
    ['a null argument', 0x3b80, 0n, 'EFAULT'],
    ['a null argument, of a number in a hole of the table', 0x3b9f, 0n, 'ENOTTY'],
    ['a legacy number that VFIO has not', 0x3b7f, undefined, 'ENOTTY'],
    ['a number behind the last', 0x3bff, undefined, 'ENOTTY'],
    ['another type character', 0x3c81, undefined, 'ENOTTY'],
    ['a direction and a size, as other ioctls have', 0xc0083b81, undefined, 'ENOTTY'],
  ] as const)('%s: %x', (_name, request, address, expected) => {
    const rig = makeByteRig();
    expect(rig.ioctl(request, address)).toBe(expected);
    rig.expectNothingLeft();
  });
  test('its argument is looked at first', () => {
    const rig = makeByteRig();
    expect(rig.ioctl(0x3c81, 0n)).toBe('EFAULT');
    expect(rig.send(DESTROY, { id: 0 })).toBe('ENOENT');
    rig.expectNothingLeft();
  });
});

/** What a command says to arguments that are all 0, on a context without objects. */
const PLAIN: Readonly<Record<string, string | number>> = {
  DESTROY: 'ENOENT',
  FAULT_QUEUE_ALLOC: 0,
  GET_HW_INFO: 'ENOENT',
  HWPT_ALLOC: 'ENOENT',
  HWPT_GET_DIRTY_BITMAP: 'ENOENT',
  HWPT_INVALIDATE: 'ENOENT',
  HWPT_SET_DIRTY_TRACKING: 'ENOENT',
  HW_QUEUE_ALLOC: 'EOPNOTSUPP',
  IOAS_ALLOC: 0,
  IOAS_ALLOW_IOVAS: 'ENOENT',
  IOAS_CHANGE_PROCESS: 0,
  IOAS_COPY: 'EINVAL',
  IOAS_IOVA_RANGES: 'ENOENT',
  IOAS_MAP: 'EINVAL',
  IOAS_MAP_FILE: 'EINVAL',
  IOAS_NOIOMMU_GET_PA: 'ENOENT',
  IOAS_UNMAP: 'ENOENT',
  OPTION: 0,
  VDEVICE_ALLOC: 'ENOENT',
  VEVENTQ_ALLOC: 'EOPNOTSUPP',
  VFIO_IOAS: 'ENODEV',
  VIOMMU_ALLOC: 'EOPNOTSUPP',
};

describe.each(COMMANDS.map(({ struct }) => [struct.name, struct] as const))('the size of %s', (name, struct) => {
  test('is at least the first version’s; what is behind the last must be 0', () => {
    const rig = makeByteRig();
    const { bytes, minBytes, nr } = struct;
    expect(rig.send(struct, {}, minBytes - 1)).toBe('EINVAL');
    expect(rig.send(struct, {}, 4)).toBe('EINVAL');
    expect(rig.send(struct, {}, 0)).toBe('EINVAL');
    expect(rig.send(struct, {}, minBytes)).toBe(PLAIN[name]);
    expect(rig.send(struct, {}, bytes)).toBe(PLAIN[name]);
    expect(rig.send(struct, {}, bytes + 1)).toBe(PLAIN[name]);
    expect(rig.send(struct, {}, bytes + 2000)).toBe(PLAIN[name]);
    rig.memory.write(rig.page + BigInt(bytes), new Uint8Array([1]));
    rig.memory.write(rig.page, new Uint8Array(new Uint32Array([bytes + 1]).buffer));
    expect(rig.ioctl(0x3b00 | nr)).toBe('E2BIG');
    rig.memory.write(rig.page, new Uint8Array(new Uint32Array([0x7fff_ffff]).buffer));
    rig.memory.write(rig.page + BigInt(bytes), new Uint8Array([0]));
    expect(rig.ioctl(0x3b00 | nr)).toBe('EFAULT'); // so much is not there
    for (const fd of [3, 4, 5, 6])
      if (struct === (uapi.FAULT_QUEUE_ALLOC as typeof struct)) rig.lab.caller(1).files.close(fd);
    rig.expectNothingLeft();
  });

  test('does not reach past the end of memory', () => {
    const rig = makeByteRig();
    const end = rig.page + 4096n;
    rig.memory.write(end - 4n, new Uint8Array([struct.bytes, 0, 0, 0]));
    expect(rig.ioctl(0x3b00 | struct.nr, end - 4n)).toBe('EFAULT');
    rig.expectNothingLeft();
  });

  test('what is behind the last is looked at up to where memory ends', () => {
    const rig = makeByteRig();
    const at = rig.page + 4096n - BigInt(struct.bytes + 8);
    rig.memory.write(at, new Uint8Array(new Uint32Array([9000]).buffer));
    expect(rig.ioctl(0x3b00 | struct.nr, at)).toBe('EFAULT');
    rig.memory.write(rig.page + 4095n, new Uint8Array([1]));
    expect(rig.ioctl(0x3b00 | struct.nr, at)).toBe('E2BIG'); // it comes first
    rig.expectNothingLeft();
  });

  test('reserved fields are 0', () => {
    const rig = makeByteRig();
    for (const [field, [, at, way]] of Object.entries(struct.fields)) {
      if (way !== 'reserved' || at >= struct.bytes) continue;
      rig.send(struct, { [field]: 0x7e } as never);
      const { code, field: named, value } = rig.dispatcher.lastError ?? {};
      expect([field, code, named, value]).toEqual([field, 'EOPNOTSUPP', field, 0x7e]);
    }
    rig.expectNothingLeft();
  });
});

test('a short struct gets as much of the answer as it has room for', () => {
  const rig = makeByteRig();
  rig.memory.write(rig.page, new Uint8Array(64).fill(0xee));
  expect(rig.send(IOAS_ALLOC)).toBe(0);
  expect(rig.received(IOAS_ALLOC).outIoasId).toBe(1);
  expect(rig.send(DESTROY, { id: 1 })).toBe(0);
  rig.expectNothingLeft();
});

test('an answer that cannot be written takes back what was made', () => {
  const rig = makeByteRig();
  const { memory, page } = rig;
  const write = memory.write.bind(memory);
  memory.write = (address, from) => (from.length > 100 ? write(address, from) : false);
  memory.mprotect(page, 4096, true);
  const bytes = new Uint8Array(128);
  new DataView(bytes.buffer).setUint32(0, IOAS_ALLOC.bytes, true);
  write(page, bytes);
  expect(rig.ioctl(0x3b81)).toBe('EFAULT');
  memory.write = write;
  expect(rig.lab.machine.live().objects).toBe(0);
  expect(rig.send(IOAS_ALLOC)).toBe(0);
  expect(rig.received(IOAS_ALLOC).outIoasId).toBe(1); // its id was given back too
  rig.expectNothingLeft();
});

test('an option answers in its value alone: the rest of the struct may be read-only', () => {
  const rig = makeByteRig();
  const { memory } = rig;
  const page = memory.mmap(8192);
  const at = page + 4096n - 16n; // val64 is the first of the second page
  const bytes = new Uint8Array(OPTION.bytes);
  uapi.encodeStruct(OPTION, { op: uapi.OPTION_OP_GET, val64: 7n }, new DataView(bytes.buffer));
  memory.write(at, bytes);
  memory.mprotect(page, 4096, false);
  expect(rig.ioctl(0x3b87, at)).toBe(0);
  memory.read(at, bytes);
  expect(new DataView(bytes.buffer).getBigUint64(16, true)).toBe(0n);
  memory.mprotect(page, 8192, true);
  memory.mprotect(page + 4096n, 4096, false);
  expect(rig.ioctl(0x3b87, at)).toBe('EFAULT');
  rig.expectNothingLeft();
});

test('the refusal says which field, and what it held', () => {
  const rig = makeByteRig();
  expect(rig.send(IOAS_MAP, { ioasId: 7, flags: 6, userVa: rig.page, length: 4096n })).toBe('ENOENT');
  expect(rig.dispatcher.lastError?.message).toBe('IOAS_MAP: ioas_id = 7: names no ioas (ENOENT)');
  expect(rig.send(OPTION, { optionId: 9 })).toBe('EOPNOTSUPP');
  expect(rig.dispatcher.lastError?.message).toContain('option_id = 9');
  rig.expectNothingLeft();
});

test('an invalidation says how many entries it handled on every path', () => {
  const rig = makeByteRig();
  const { HWPT_INVALIDATE } = uapi;
  expect(rig.send(HWPT_INVALIDATE, { entryNum: 5, reserved: 1 } as never)).toBe('EOPNOTSUPP');
  expect(rig.received(HWPT_INVALIDATE).entryNum).toBe(0);
  expect(rig.send(HWPT_INVALIDATE, { entryNum: 5 })).toBe('EINVAL');
  expect(rig.received(HWPT_INVALIDATE).entryNum).toBe(0);
  const { outIoasId } = rig.call(IOAS_ALLOC);
  expect(rig.send(HWPT_INVALIDATE, { hwptId: outIoasId, entryNum: 5, entryLen: 8, dataUptr: rig.page })).toBe('EINVAL');
  expect(rig.dispatcher.lastError?.message).toContain(`hwpt_id = ${outIoasId}`); // there, but nothing of the kind
  expect(rig.received(HWPT_INVALIDATE).entryNum).toBe(0);
  rig.expectNothingLeft();
});

test('which IOAS is the legacy one is set and cleared out of memory that cannot be written', () => {
  const rig = makeByteRig();
  const { VFIO_IOAS, VFIO_IOAS_CLEAR, VFIO_IOAS_GET, VFIO_IOAS_SET } = uapi;
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  const sendReadOnly = (op: number): string | number => {
    rig.send(VFIO_IOAS, { op, ioasId });
    rig.memory.mprotect(rig.page, 4096, false);
    const result = rig.ioctl(0x3b88);
    rig.memory.mprotect(rig.page, 4096, true);
    return result;
  };
  expect([VFIO_IOAS_SET, VFIO_IOAS_GET, VFIO_IOAS_CLEAR].map(sendReadOnly)).toEqual([0, 'EFAULT', 0]);
  rig.expectNothingLeft();
});
