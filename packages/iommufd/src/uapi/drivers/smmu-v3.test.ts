// Each struct against bytes written by hand, both ways: byte i holds i + 1, so that a field's place is its value.
import { expect, test } from 'vitest';
import { type Args, type DataStruct, decodeStruct, encodeData, reservedInUse } from '../struct.ts';
import * as structs from './smmu-v3.ts';

const all: Readonly<Record<string, DataStruct>> = { ...structs };
const counted = (bytes: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length: bytes }, (_, i) => i + 1);

const VALUES: Readonly<Record<keyof typeof structs, Readonly<Record<string, number | bigint>>>> = {
  HW_INFO_ARM_SMMUV3: {
    flags: 0x04030201,
    idr0: 0x0c0b0a09,
    idr1: 0x100f0e0d,
    idr2: 0x14131211,
    idr3: 0x18171615,
    idr4: 0x1c1b1a19,
    idr5: 0x201f1e1d,
    iidr: 0x24232221,
    aidr: 0x28272625,
  },
  HW_INFO_TEGRA241_CMDQV: { flags: 0x04030201, version: 5, log2vcmdqs: 6, log2vsids: 7 },
  HWPT_ARM_SMMUV3: { ste0: 0x0807060504030201n, ste1: 0x100f0e0d0c0b0a09n },
  VIOMMU_ARM_SMMUV3_INVALIDATE: { cmd0: 0x0807060504030201n, cmd1: 0x100f0e0d0c0b0a09n },
  VEVENT_ARM_SMMUV3: {
    evt0: 0x0807060504030201n,
    evt1: 0x100f0e0d0c0b0a09n,
    evt2: 0x1817161514131211n,
    evt3: 0x201f1e1d1c1b1a19n,
  },
  VIOMMU_TEGRA241_CMDQV: { outVintfMmapOffset: 0x0807060504030201n, outVintfMmapLength: 0x100f0e0d0c0b0a09n },
  VEVENT_TEGRA241_CMDQV: { map0: 0x0807060504030201n, map1: 0x100f0e0d0c0b0a09n },
};
const SIZES = [40, 8, 16, 16, 32, 16, 16];
/** Bytes that are reserved: neither read nor written. */
const RESERVED: Readonly<Record<string, readonly number[]>> = {
  HW_INFO_ARM_SMMUV3: [4, 5, 6, 7],
  HW_INFO_TEGRA241_CMDQV: [7],
};

test.each(Object.entries(VALUES).map(([name, values], i) => [name, values, SIZES[i]] as const))(
  '%s',
  (name, values, size) => {
    const struct = all[name];
    expect([struct.name, struct.bytes, struct.minBytes]).toEqual([`iommu_${name.toLowerCase()}`, size, size]);
    const bytes = counted(size);
    expect(decodeStruct(struct, new DataView(bytes.buffer))).toEqual(values);
    const written = new Uint8Array(size);
    encodeData(struct, values as Args<DataStruct>, new DataView(written.buffer));
    for (const at of RESERVED[name] ?? []) bytes[at] = 0;
    expect(written).toEqual(bytes);
    expect(reservedInUse(struct, new DataView(written.buffer))).toBe(undefined);
  },
);
