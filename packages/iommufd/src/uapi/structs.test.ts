// The layout of every ioctl's struct, written down once more by hand (name@offset, `:n` for a width that is not 4, `=` in front of what is
// written back, `!` in front of what must be 0), and read and written byte by byte.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeStruct, encodeOutputs, encodeStruct, reservedInUse, type Struct } from './struct.ts';
import * as structs from './structs.ts';

/** Number, size, smallest size, fields: those of Linux's include/uapi/linux/iommufd.h. */
const LAYOUTS: Readonly<Record<string, readonly [nr: number, bytes: number, min: number, fields: string]>> = {
  DESTROY: [0x80, 8, 8, 'id@4'],
  IOAS_ALLOC: [0x81, 12, 12, 'flags@4 =outIoasId@8'],
  IOAS_ALLOW_IOVAS: [0x82, 24, 24, 'ioasId@4 numIovas@8 !reserved@12 allowedIovas@16:8'],
  IOAS_COPY: [0x83, 40, 40, 'flags@4 dstIoasId@8 srcIoasId@12 length@16:8 =dstIova@24:8 srcIova@32:8'],
  IOAS_IOVA_RANGES: [0x84, 32, 32, 'ioasId@4 =numIovas@8 !reserved@12 allowedIovas@16:8 =outIovaAlignment@24:8'],
  IOAS_MAP: [0x85, 40, 40, 'flags@4 ioasId@8 !reserved@12 userVa@16:8 length@24:8 =iova@32:8'],
  IOAS_UNMAP: [0x86, 24, 24, 'ioasId@4 iova@8:8 =length@16:8'],
  OPTION: [0x87, 24, 24, 'optionId@4 op@8:2 !reserved@10:2 objectId@12 =val64@16:8'],
  VFIO_IOAS: [0x88, 12, 12, '=ioasId@4 op@8:2 !reserved@10:2'],
  HWPT_ALLOC: [
    0x89,
    48,
    24,
    'flags@4 devId@8 ptId@12 =outHwptId@16 !reserved@20 dataType@24 dataLen@28 dataUptr@32:8 faultId@40',
  ],
  GET_HW_INFO: [
    0x8a,
    40,
    32,
    'flags@4 devId@8 =dataLen@12 dataUptr@16:8 =dataType@24 =outMaxPasidLog2@28:1 !reserved0@29:1 !reserved1@30:1 !reserved2@31:1 =outCapabilities@32:8',
  ],
  HWPT_SET_DIRTY_TRACKING: [0x8b, 16, 16, 'flags@4 hwptId@8'],
  HWPT_GET_DIRTY_BITMAP: [0x8c, 48, 48, 'hwptId@4 flags@8 !reserved@12 iova@16:8 length@24:8 pageSize@32:8 data@40:8'],
  HWPT_INVALIDATE: [0x8d, 32, 32, 'hwptId@4 dataUptr@8:8 dataType@16 entryLen@20 =entryNum@24 !reserved@28'],
  FAULT_QUEUE_ALLOC: [0x8e, 16, 16, 'flags@4 =outFaultId@8 =outFaultFd@12'],
  IOAS_MAP_FILE: [0x8f, 40, 40, 'flags@4 ioasId@8 fd@12:-4 start@16:8 length@24:8 =iova@32:8'],
  VIOMMU_ALLOC: [0x90, 40, 24, 'flags@4 type@8 devId@12 hwptId@16 =outViommuId@20 dataLen@24 dataUptr@32:8'],
  VDEVICE_ALLOC: [0x91, 24, 24, 'viommuId@4 devId@8 =outVdeviceId@12 virtId@16:8'],
  IOAS_CHANGE_PROCESS: [0x92, 8, 8, '!reserved@4'],
  VEVENTQ_ALLOC: [
    0x93,
    32,
    28,
    'flags@4 viommuId@8 type@12 veventqDepth@16 =outVeventqId@20 =outVeventqFd@24 !reserved@28',
  ],
  HW_QUEUE_ALLOC: [
    0x94,
    40,
    40,
    'flags@4 viommuId@8 type@12 index@16 =outHwQueueId@20 nestingParentIova@24:8 length@32:8',
  ],
  IOAS_NOIOMMU_GET_PA: [0x95, 40, 40, 'flags@4 ioasId@8 !reserved@12 iova@16:8 =length@24:8 =outPhys@32:8'],
};

interface HandField {
  readonly name: string;
  readonly at: number;
  readonly width: number;
  readonly signed: boolean;
  readonly out: boolean;
  readonly reserved: boolean;
}

function fieldsOf(text: string): HandField[] {
  return text.split(' ').map((word) => {
    const [, mark, name, at, width = '4'] = /^([=!]?)(\w+)@(\d+)(?::(-?\d+))?$/.exec(word) ?? [];
    const bytes = Math.abs(Number(width));
    return {
      name,
      at: Number(at),
      width: bytes,
      signed: width.startsWith('-'),
      out: mark === '=',
      reserved: mark === '!',
    };
  });
}

/** Little-endian, by hand. */
function readField(bytes: Uint8Array, { at, width, signed }: HandField): number | bigint {
  let value = 0n;
  for (let i = width - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i]);
  if (width === 8) return value;
  return Number(signed ? BigInt.asIntN(32, value) : value);
}
function writeField(bytes: Uint8Array, { at, width }: HandField, value: number | bigint): void {
  for (let i = 0, left = BigInt.asUintN(64, BigInt(value)); i < width; i++, left >>= 8n)
    bytes[at + i] = Number(left & 255n);
}

const known = Object.values(structs).filter((each) => typeof each === 'object') as unknown as readonly Struct[];

test('every struct has a layout by hand', () => {
  expect(known.map(({ name }) => name).sort()).toEqual(Object.keys(LAYOUTS).sort());
});

describe.each(known.map((struct) => [struct.name, struct] as const))('%s', (name, struct) => {
  const [nr, size, min, text] = LAYOUTS[name];
  const fields = fieldsOf(text);
  const bytesOf = fc.uint8Array({ minLength: size, maxLength: size });

  test('number and sizes', () => {
    expect([struct.nr, struct.bytes, struct.minBytes]).toEqual([nr, size, min]);
    expect(Object.keys(struct.fields)).toEqual(fields.map((field) => field.name));
  });

  test('is read as it stands in memory', () => {
    fc.assert(
      fc.property(bytesOf, (bytes) => {
        const args = decodeStruct(struct, new DataView(bytes.slice().buffer)) as Record<string, number | bigint>;
        const isIn = ({ name: field }: HandField): boolean => struct.fields[field][2] !== 'out';
        for (const field of fields.filter((each) => !each.reserved && isIn(each)))
          expect([field.name, args[field.name]]).toEqual([field.name, readField(bytes, field)]);
        const inUse = fields.find((field) => field.reserved && Number(readField(bytes, field)) !== 0);
        expect(reservedInUse(struct, new DataView(bytes.slice().buffer))).toBe(inUse?.name);
      }),
    );
  });

  test('is written as it is read; an answer changes its outputs alone', () => {
    fc.assert(
      fc.property(bytesOf, bytesOf, (before, source) => {
        const args = Object.fromEntries(fields.map((field) => [field.name, readField(source, field)])) as never;
        const whole = new Uint8Array(size);
        encodeStruct(struct, args, new DataView(whole.buffer));
        const expectedWhole = new Uint8Array(size);
        expectedWhole[0] = size;
        for (const field of fields) writeField(expectedWhole, field, readField(source, field));
        expect(whole).toEqual(expectedWhole);
        const answer = before.slice();
        encodeOutputs(struct, args, new DataView(answer.buffer));
        const expected = before.slice();
        for (const field of fields.filter((each) => each.out)) writeField(expected, field, readField(source, field));
        expect(answer).toEqual(expected);
      }),
    );
  });
});
