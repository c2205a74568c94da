import { FAULT_PERM_PRIV, FAULT_PERM_READ } from '@faultline/core';
import {
  CMD_COMPLETE_PPR_REQUEST,
  CMD_INVALIDATE_IOMMU_PAGES,
  COMMAND_WORDS,
  commandDevice,
  commandOp,
  completePprGroup,
  completePprPasid,
  completePprStatus,
  EVENT_ENTRY_WORDS,
  EVENT_INVALID_PPR_REQUEST,
  PPR_ENTRY_WORDS,
  PPR_PAGE_SERVICE_REQUEST,
  pprDevice,
  pprGroup,
  pprPasid,
  pprPerm,
  rangePageHi,
  rangePageLo,
  rangeSizeLg2,
  writeCompletePpr,
  writeInvalidateIommuPages,
  writeInvalidPprRequest,
  writePprEntry,
} from '@faultline/hw/amd';
import { REQUEST_LAST, REQUEST_PASID_VALID, REQUEST_PRIV, REQUEST_READ } from '@faultline/hw/pcie';
import {
  type FieldObject,
  groupOf,
  PAGE_HI,
  pageOf,
  pasidOf,
  type QueueRecord,
  RANGE_LG2,
  streamOf,
  widePageOf,
} from './record.ts';

const family = 'AMD';

const FLAGS: number = REQUEST_PASID_VALID | REQUEST_LAST | REQUEST_READ | REQUEST_PRIV;
/** Bits of the entry's first 64 that stand for them: GN, last, read; supervisor is what is not user. */
const WIDE_FLAGS = (1n << 56n) | (1n << 41n) | (1n << 50n);
const PERM: number = FAULT_PERM_READ | FAULT_PERM_PRIV;

function decodeRequest(words: Int32Array, at: number): number {
  return (
    (commandOp(words, at) +
      pprDevice(words, at) +
      pprPasid(words, at) +
      pprGroup(words, at) +
      pprPerm(words[at + 1]) +
      ((words[at + 2] >>> 12) | (words[at + 3] << 20)) +
      (words[at + 3] >>> 12)) |
    0
  );
}

/** A page request's object: the PPR log's entry, and the event log's for one that was refused. */
function encodeRequest(type: number, wide: BigUint64Array, at: number, i: number): FieldObject {
  const record = {
    type: BigInt(type),
    device: BigInt(streamOf(i)),
    pasid: BigInt(pasidOf(i)),
    prgIndex: BigInt(groupOf(i)),
    perm: PERM,
    page: widePageOf(i),
  };
  wide[at] =
    record.device |
    ((record.pasid & 0xffffn) << 16n) |
    (record.prgIndex << 32n) |
    ((record.pasid >> 16n) << 42n) |
    (record.type << 60n) |
    WIDE_FLAGS;
  wide[at + 1] = record.page << 12n;
  return record;
}

function decodeRequestObject(wide: BigUint64Array, at: number): FieldObject {
  const w0 = wide[at];
  return {
    type: w0 >> 60n,
    device: w0 & 0xffffn,
    pasid: ((w0 >> 16n) & 0xffffn) | (((w0 >> 42n) & 0xfn) << 16n),
    prgIndex: (w0 >> 32n) & 0x1ffn,
    perm: pprPerm(Number((w0 >> 32n) & 0xfff_ffffn)),
    page: wide[at + 1] >> 12n,
  };
}

const request: QueueRecord = {
  family,
  name: 'PPR log: page service request',
  size: PPR_ENTRY_WORDS,
  encode: (words, at, i) => writePprEntry(words, at, streamOf(i), pasidOf(i), groupOf(i), FLAGS, pageOf(i), PAGE_HI),
  decode: decodeRequest,
  encodeObject: (wide, at, i) => encodeRequest(PPR_PAGE_SERVICE_REQUEST, wide, at, i),
  decodeObject: decodeRequestObject,
};

const event: QueueRecord = {
  family,
  name: 'event log: INVALID_PPR_REQUEST',
  size: EVENT_ENTRY_WORDS,
  encode: (words, at, i) =>
    writeInvalidPprRequest(words, at, streamOf(i), pasidOf(i), groupOf(i), FLAGS, pageOf(i), PAGE_HI),
  decode: decodeRequest,
  encodeObject: (wide, at, i) => encodeRequest(EVENT_INVALID_PPR_REQUEST, wide, at, i),
  decodeObject: decodeRequestObject,
};

const STATUS_INVALID = 1;

const complete: QueueRecord = {
  family,
  name: 'command buffer: COMPLETE_PPR_REQUEST',
  size: COMMAND_WORDS,
  encode: (words, at, i) => writeCompletePpr(words, at, streamOf(i), pasidOf(i), groupOf(i), STATUS_INVALID),
  decode: (words, at) =>
    (commandOp(words, at) +
      commandDevice(words, at) +
      completePprPasid(words, at) +
      completePprGroup(words, at) +
      completePprStatus(words, at)) |
    0,
  encodeObject(wide, at, i) {
    const record = {
      op: BigInt(CMD_COMPLETE_PPR_REQUEST),
      device: BigInt(streamOf(i)),
      pasid: BigInt(pasidOf(i)),
      prgIndex: BigInt(groupOf(i)),
      status: BigInt(STATUS_INVALID),
    };
    wide[at] = record.device | (record.pasid << 32n) | (record.op << 60n);
    wide[at + 1] = (1n << 2n) | (record.prgIndex << 32n) | (record.status << 44n);
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    const w1 = wide[at + 1];
    return {
      op: w0 >> 60n,
      device: w0 & 0xffffn,
      pasid: (w0 >> 32n) & 0xfffffn,
      prgIndex: (w1 >> 32n) & 0x1ffn,
      status: (w1 >> 44n) & 0xfn,
    };
  },
};

const PAGES = 2 ** RANGE_LG2;

const invalidation: QueueRecord = {
  family,
  name: 'command buffer: INVALIDATE_IOMMU_PAGES',
  size: COMMAND_WORDS,
  encode(words, at, i) {
    const first = PAGE_HI * 2 ** 32 + (pageOf(i) >>> 0);
    writeInvalidateIommuPages(words, at, streamOf(i), pasidOf(i), first, first + PAGES - 1);
  },
  decode(words, at) {
    const sizeLg2 = rangeSizeLg2(words, at);
    return (
      (commandOp(words, at) +
        (words[at] & 0xfffff) +
        (words[at + 1] & 0xffff) +
        sizeLg2 +
        rangePageLo(words, at, sizeLg2) +
        rangePageHi(words, at, sizeLg2)) |
      0
    );
  },
  encodeObject(wide, at, i) {
    const record = {
      op: BigInt(CMD_INVALIDATE_IOMMU_PAGES),
      pasid: BigInt(pasidOf(i)),
      domain: BigInt(streamOf(i)),
      sizeLg2: BigInt(RANGE_LG2),
      page: widePageOf(i),
    };
    const sized = record.page | ((1n << (record.sizeLg2 - 1n)) - 1n);
    wide[at] = record.pasid | (record.domain << 32n) | (record.op << 60n);
    wide[at + 1] = 7n | (sized << 12n);
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    const sized = wide[at + 1] >> 12n;
    let sizeLg2 = 1n;
    while (((sized >> (sizeLg2 - 1n)) & 1n) === 1n) sizeLg2++;
    return {
      op: w0 >> 60n,
      pasid: w0 & 0xfffffn,
      domain: (w0 >> 32n) & 0xffffn,
      sizeLg2,
      page: sized & -(1n << sizeLg2),
    };
  },
};

export const amdRecords: readonly QueueRecord[] = [request, complete, invalidation, event];
