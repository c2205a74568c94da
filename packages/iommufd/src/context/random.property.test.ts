// Whatever bytes come, at whatever number: an errno that is known or a result, no exception of another kind; afterwards the context works,
// and everything can be given back.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryFile, PAGE_BYTES } from '../caller/index.ts';
import { attachDevice, detachDevice, unbindDevice } from '../device/index.ts';
import { FILE_MEMORY } from '../files/layout.ts';
import { type ByteRig, makeByteRig } from '../testing/bytes.test-help.ts';
import { MOCK_DEV_PASID, MOCK_HWPT_DATA_TYPE, MOCK_VEVENTQ_TYPE, MOCK_VIOMMU_TYPE } from '../testing/mock/index.ts';
import {
  FAULT_QUEUE_ALLOC,
  type Field,
  HWPT_ALLOC,
  IOAS_ALLOC,
  IOAS_MAP,
  IOAS_UNMAP,
  type Struct,
} from '../uapi/index.ts';
import { COMMANDS } from './index.ts';

const PAGE = BigInt(PAGE_BYTES);
const BASE = 1n << 24n;
const U64 = 2n ** 64n - 1n;

/** 32-bit words that mean something somewhere: ids, flags, types, counts. */
const word = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 8 }) },
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.constantFrom(MOCK_HWPT_DATA_TYPE, MOCK_VIOMMU_TYPE, MOCK_VEVENTQ_TYPE, 8, 24, 64, 4096) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffffffff }) },
);

/** 64-bit ones: IOVAs, lengths, and offsets into the caller's memory (see `place`). */
const wide = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 6 }).map((n) => BASE + BigInt(n) * PAGE) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 6 }).map((n) => BigInt(n) * PAGE) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 7 }).map((n) => -1n - BigInt(n) * (PAGE / 2n)) },
  { weight: 1, arbitrary: fc.constantFrom(U64, U64 - 1n, U64 - PAGE, 2n ** 63n, 1n, 2048n) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: U64 }) },
);

function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

interface Call {
  readonly struct: Struct;
  readonly fields: readonly (number | bigint)[];
  readonly sizeOff: number;
  readonly raw: Uint8Array | undefined;
  readonly request: number | undefined;
}

const call: fc.Arbitrary<Call> = fc.constantFrom(...COMMANDS.map(({ struct }) => struct)).chain((struct) =>
  fc.record({
    struct: fc.constant(struct),
    fields: fc.tuple(...Object.values(struct.fields).map(fieldOf)),
    sizeOff: fc.oneof(
      { weight: 20, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: -16, max: 16 }) },
    ),
    raw: rarely(fc.uint8Array({ minLength: 8, maxLength: 80 })),
    request: rarely(
      fc
        .integer({ min: 0x3b60, max: 0x3bff })
        .chain((known) => fc.constantFrom(known, known | 0x10000, 0x3b70, 0x3b71, 0x3b72)),
    ),
  }),
);

function fieldOf([kind, , way]: Field): fc.Arbitrary<number | bigint> {
  if (way === 'reserved') return fc.oneof({ weight: 30, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: word });
  return kind === 'u64' ? wide : word;
}

/** A context with something of each: ids 1 to 6 are devices, IOASes, an HWPT and a fault queue. */
function busyRig(): { rig: ByteRig; data: bigint; devices: number[] } {
  const rig = makeByteRig({ frames: 512, window: 512 });
  const data = rig.memory.mmap(8 * PAGE_BYTES);
  const devices = [rig.bind(1), rig.bind(2, MOCK_DEV_PASID)];
  const ioasId = rig.call(IOAS_ALLOC).outIoasId;
  rig.call(IOAS_ALLOC);
  rig.call(HWPT_ALLOC, { devId: devices[0], ptId: ioasId, flags: 3 });
  attachDevice(rig.context, devices[0], { ptId: ioasId });
  rig.send(FAULT_QUEUE_ALLOC);
  rig.call(IOAS_MAP, { ioasId, flags: 7, userVa: data, length: 2n * PAGE, iova: BASE + 3n * PAGE });
  rig.lab.mappable.set(1, MemoryFile.create(rig.lab.ram, 4 * PAGE_BYTES));
  rig.lab.caller(1).files.install('test', FILE_MEMORY, 0, 1);
  return { rig, data, devices };
}

test('random calls', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(call, { minLength: 10, maxLength: 80, size: 'max' }), (calls) => {
      const { rig, data, devices } = busyRig();
      for (const { struct, fields, sizeOff, raw, request } of calls) {
        // What is below 0 is a place in the caller's memory.
        const place = (value: number | bigint): number | bigint =>
          typeof value === 'bigint' && value < 0n ? data - 1n - value : value;
        const args = Object.fromEntries(Object.keys(struct.fields).map((name, i) => [name, place(fields[i])]));
        if (request !== undefined) {
          if (raw !== undefined) rig.memory.write(rig.page, raw);
          rig.ioctl(request, fields.length > 3 ? rig.page : BigInt(fields.length));
        } else {
          const result = rig.send(struct, args as never, Math.max(0, struct.bytes + sizeOff));
          seen.add(`${struct.name} ${result}`);
        }
      }
      // It works still: nothing is locked, an IOAS maps and unmaps.
      rig.lab.machine.answering(() => rig.lab.machine.path.endBatch());
      const ioasId = rig.call(IOAS_ALLOC).outIoasId;
      rig.call(IOAS_MAP, { ioasId, flags: 7, userVa: data, length: PAGE, iova: BASE });
      expect(rig.call(IOAS_UNMAP, { ioasId, iova: BASE, length: PAGE }).length).toBe(PAGE);
      for (const id of devices) {
        detachDevice(rig.context, id);
        unbindDevice(rig.context, id);
      }
      for (let fd = 3; rig.lab.caller(1).files.count() > 0; fd++)
        if (isOpen(rig, fd)) rig.lab.caller(1).files.close(fd);
      rig.expectNothingLeft();
    }),
    { numRuns: 250 },
  );
  // The dice were good enough: most commands have succeeded, too.
  const succeeded = COMMANDS.filter(({ struct }) => seen.has(`${struct.name} 0`)).map(({ struct }) => struct.name);
  expect(succeeded.length).toBeGreaterThan(8);
});

function isOpen({ lab }: ByteRig, fd: number): boolean {
  return lab.machine.fdsOf(1).load(fd) !== 0;
}
