/** A record of a hardware queue, written and read in two ways: as hw does on its fast paths, and through objects. Values follow
 * from a number `i`, the same ones in both. */
export interface QueueRecord {
  readonly family: string;
  readonly name: string;
  /** 32-bit words of one. */
  readonly size: number;
  encode(words: Int32Array, at: number, i: number): void;
  /** @returns the sum of all fields, wrapping: nothing that was read can be left out. */
  decode(words: Int32Array, at: number): number;
  /** Makes an object of the fields and packs it. @param at a 64-bit word. */
  encodeObject(wide: BigUint64Array, at: number, i: number): FieldObject;
  decodeObject(wide: BigUint64Array, at: number): FieldObject;
}

/** Fields of a record. A page number is one field here, though `decode` adds up its two halves. */
export type FieldObject = Readonly<Record<string, bigint | number>>;

// What the records are filled with.
export const streamOf = (i: number): number => 0x100 + (i & 0xff);
export const pasidOf = (i: number): number => 1 + (i & 0xffff);
export const groupOf = (i: number): number => i & 0x1ff;
/** Bits 31:0 of a page number that a range of 16 pages may begin at. */
export const pageOf = (i: number): number => (i & 0xfffffff) << 4;
/** Bits 51:32. */
export const PAGE_HI = 7;
export const RANGE_LG2 = 4;

/** The whole page number, as objects have it. */
export function widePageOf(i: number): bigint {
  return (BigInt(PAGE_HI) << 32n) | BigInt(pageOf(i) >>> 0);
}

/** What `decode` returns for a record of these fields. */
export function sumOfFields(fields: FieldObject): number {
  let sum = 0;
  for (const value of Object.values(fields)) {
    const wide = BigInt(value);
    sum = (sum + Number(BigInt.asIntN(32, wide)) + Number(wide >> 32n)) | 0;
  }
  return sum;
}
