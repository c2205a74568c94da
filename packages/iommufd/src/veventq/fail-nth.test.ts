// Every allocation of a call is made to fail in turn, until the call runs through untouched: what was refused has left nothing.
import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../caller/index.ts';
import { COMMANDS, Dispatcher } from '../context/index.ts';
import { MOCK_HW_QUEUE_TYPE, MOCK_VEVENTQ_TYPE, MOCK_VIOMMU_TYPE } from '../testing/mock/index.ts';
import {
  type Args,
  encodeStruct,
  HW_QUEUE_ALLOC,
  IOAS_MAP_READABLE,
  type Struct,
  VDEVICE_ALLOC,
  VEVENTQ_ALLOC,
  VIOMMU_ALLOC,
} from '../uapi/index.ts';
import { BASE, makeViommuRig } from '../viommu/viommu.test-help.ts';

const ENOMEM = -12;
const EFAULT = -14;
const EMFILE = -24;

function failRig() {
  const rig = makeViommuRig();
  const { lab, context, memory, page, devId, parentId } = rig;
  const viommuId = rig.allocViommu();
  const address = memory.mmap(2 * PAGE_BYTES, { huge: true });
  rig.map(BASE, address, 2 * PAGE_BYTES, IOAS_MAP_READABLE);
  const calls: readonly (readonly [Struct, Record<string, number | bigint>])[] = [
    [VIOMMU_ALLOC, { type: MOCK_VIOMMU_TYPE, devId, hwptId: parentId, dataLen: 24, dataUptr: page + 2048n }],
    [VDEVICE_ALLOC, { viommuId, devId, virtId: 5n }],
    [VEVENTQ_ALLOC, { viommuId, type: MOCK_VEVENTQ_TYPE, veventqDepth: 4 }],
    [HW_QUEUE_ALLOC, { viommuId, type: MOCK_HW_QUEUE_TYPE, nestingParentIova: BASE, length: BigInt(2 * PAGE_BYTES) }],
  ];
  const dispatcher = new Dispatcher(COMMANDS);
  const ioctl = (struct: Struct, args: Record<string, number | bigint>): number => {
    const bytes = new Uint8Array(struct.bytes);
    encodeStruct(struct, args as Partial<Args<Struct>>, new DataView(bytes.buffer));
    memory.write(page, bytes);
    return dispatcher.ioctl(context, lab.caller(1), 0x3b00 | struct.nr, page);
  };
  const books = (): unknown => ({
    live: lab.machine.live(),
    pinned: lab.ram.pinned(),
    used: lab.ram.used(),
    fds: lab.caller(1).files.count(),
  });
  return { ...rig, calls, ioctl, books };
}

test.each([0, 1, 2, 3])('call %i of a vIOMMU’s life', (which) => {
  const { calls, ioctl, books, lab } = failRig();
  const [struct, args] = calls[which];
  const before = books();
  let nth = 1;
  for (; ; nth++) {
    lab.machine.fail.arm(nth);
    const result = ioctl(struct, args);
    const { failedAt } = lab.machine.fail;
    lab.machine.fail.arm(0);
    if (failedAt === '') {
      expect(result).toBe(0);
      break;
    }
    expect([nth, failedAt, result]).toEqual([nth, failedAt, failedAt === 'fd' ? EMFILE : ENOMEM]);
    expect(books()).toEqual(before);
  }
  expect(nth).toBeGreaterThan(2); // an object and its id at least
});

test.each([0, 1, 2, 3])('call %i, whose answer cannot be written', (which) => {
  const { calls, ioctl, books, memory } = failRig();
  const [struct, args] = calls[which];
  const before = books();
  const write = memory.write.bind(memory);
  let writes = 0;
  // The struct itself, then, of a vIOMMU, its data, then the answer.
  memory.write = (address, from) => (++writes === (struct === VIOMMU_ALLOC ? 3 : 2) ? false : write(address, from));
  expect(ioctl(struct, args)).toBe(EFAULT);
  memory.write = write;
  expect(books()).toEqual(before);
  expect(ioctl(struct, args)).toBe(0);
});
