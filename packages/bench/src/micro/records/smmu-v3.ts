import { FAULT_PERM_WRITE } from '@faultline/core';
import {
  atcSize,
  CMD_ATC_INV,
  CMD_CFGI_STE,
  CMD_RESUME,
  CMD_TLBI_NH_VA,
  COMMAND_WORDS,
  commandAsid,
  commandLeaf,
  commandOp,
  commandStreamId,
  commandSubstream,
  commandVmid,
  EVENT_WORDS,
  EVT_F_TRANSLATION,
  eventId,
  eventPerm,
  eventStag,
  eventStalls,
  eventStreamId,
  PRIQ_LAST,
  PRIQ_READ,
  PRIQ_RECORD_WORDS,
  PRIQ_SSV,
  priqPerm,
  RESUME_RETRY,
  resumeResp,
  resumeStag,
  tlbiRange,
  tlbiScope,
  writeAtcInv,
  writeCfgiSte,
  writePriqRecord,
  writeResume,
  writeTlbiRange,
  writeTranslationFault,
} from '@faultline/hw/smmu-v3';
import { groupOf, PAGE_HI, pageOf, pasidOf, type QueueRecord, RANGE_LG2, streamOf, widePageOf } from './record.ts';

const family = 'SMMUv3';

const event: QueueRecord = {
  family,
  name: 'event queue: F_TRANSLATION',
  size: EVENT_WORDS,
  encode: (words, at, i) =>
    writeTranslationFault(words, at, streamOf(i), pasidOf(i), i & 0xffff, FAULT_PERM_WRITE, pageOf(i), PAGE_HI),
  decode: (words, at) =>
    (eventId(words, at) +
      (words[at] >>> 12) +
      eventStreamId(words, at) +
      eventStag(words, at) +
      (eventStalls(words, at) ? 1 : 0) +
      eventPerm(words[at + 3]) +
      ((words[at + 4] >>> 12) | (words[at + 5] << 20)) +
      (words[at + 5] >>> 12)) |
    0,
  encodeObject(wide, at, i) {
    const record = {
      id: BigInt(EVT_F_TRANSLATION),
      substreamId: BigInt(pasidOf(i)),
      streamId: BigInt(streamOf(i)),
      stag: BigInt(i & 0xffff),
      stall: 1n,
      perm: FAULT_PERM_WRITE,
      page: widePageOf(i),
    };
    wide[at] = record.id | (1n << 11n) | (record.substreamId << 12n) | (record.streamId << 32n);
    wide[at + 1] = record.stag | (record.stall << 31n) | (2n << 40n);
    wide[at + 2] = record.page << 12n;
    wide[at + 3] = 0n;
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    const w1 = wide[at + 1];
    return {
      id: w0 & 0xffn,
      substreamId: (w0 >> 12n) & 0xfffffn,
      streamId: w0 >> 32n,
      stag: w1 & 0xffffn,
      stall: (w1 >> 31n) & 1n,
      perm: eventPerm(Number(w1 >> 32n)),
      page: wide[at + 2] >> 12n,
    };
  },
};

const PRIQ_FLAGS: number = PRIQ_SSV | PRIQ_READ | PRIQ_LAST;

const pageRequest: QueueRecord = {
  family,
  name: 'PRI queue: page request',
  size: PRIQ_RECORD_WORDS,
  encode: (words, at, i) =>
    writePriqRecord(words, at, streamOf(i), PRIQ_FLAGS, pasidOf(i), groupOf(i), pageOf(i), PAGE_HI),
  decode: (words, at) =>
    (words[at] +
      (words[at + 1] & 0xfffff) +
      priqPerm(words[at + 1]) +
      ((words[at + 1] >>> 30) & 1) +
      (words[at + 2] & 0x1ff) +
      ((words[at + 2] >>> 12) | (words[at + 3] << 20)) +
      (words[at + 3] >>> 12)) |
    0,
  encodeObject(wide, at, i) {
    const record = {
      streamId: BigInt(streamOf(i)),
      substreamId: BigInt(pasidOf(i)),
      perm: 1,
      last: 1n,
      prgIndex: BigInt(groupOf(i)),
      page: widePageOf(i),
    };
    wide[at] =
      record.streamId | (record.substreamId << 32n) | (BigInt(record.perm) << 60n) | (record.last << 62n) | (1n << 63n);
    wide[at + 1] = record.prgIndex | (record.page << 12n);
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    const w1 = wide[at + 1];
    return {
      streamId: w0 & 0xffff_ffffn,
      substreamId: (w0 >> 32n) & 0xfffffn,
      perm: priqPerm(Number(BigInt.asIntN(32, w0 >> 32n))),
      last: (w0 >> 62n) & 1n,
      prgIndex: w1 & 0x1ffn,
      page: w1 >> 12n,
    };
  },
};

const resume: QueueRecord = {
  family,
  name: 'command queue: RESUME',
  size: COMMAND_WORDS,
  encode: (words, at, i) => writeResume(words, at, streamOf(i), i & 0xffff, RESUME_RETRY),
  decode: (words, at) =>
    (commandOp(words, at) + commandStreamId(words, at) + resumeStag(words, at) + resumeResp(words, at)) | 0,
  encodeObject(wide, at, i) {
    const record = {
      op: BigInt(CMD_RESUME),
      streamId: BigInt(streamOf(i)),
      stag: BigInt(i & 0xffff),
      resp: BigInt(RESUME_RETRY),
    };
    wide[at] = record.op | (record.resp << 12n) | (record.streamId << 32n);
    wide[at + 1] = record.stag;
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    return { op: w0 & 0xffn, streamId: w0 >> 32n, stag: wide[at + 1] & 0xffffn, resp: (w0 >> 12n) & 3n };
  },
};

const atcInvalidation: QueueRecord = {
  family,
  name: 'command queue: ATC_INV',
  size: COMMAND_WORDS,
  encode: (words, at, i) => writeAtcInv(words, at, streamOf(i), pasidOf(i), pageOf(i), PAGE_HI, RANGE_LG2),
  decode: (words, at) =>
    (commandOp(words, at) +
      commandStreamId(words, at) +
      commandSubstream(words, at) +
      atcSize(words, at) +
      ((words[at + 2] >>> 12) | (words[at + 3] << 20)) +
      (words[at + 3] >>> 12)) |
    0,
  encodeObject(wide, at, i) {
    const record = {
      op: BigInt(CMD_ATC_INV),
      streamId: BigInt(streamOf(i)),
      substreamId: BigInt(pasidOf(i)),
      size: BigInt(RANGE_LG2),
      page: widePageOf(i),
    };
    wide[at] = record.op | (1n << 11n) | (record.substreamId << 12n) | (record.streamId << 32n);
    wide[at + 1] = record.size | (record.page << 12n);
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    const w1 = wide[at + 1];
    return {
      op: w0 & 0xffn,
      streamId: w0 >> 32n,
      substreamId: (w0 >> 12n) & 0xfffffn,
      size: w1 & 0x3fn,
      page: w1 >> 12n,
    };
  },
};

const configuration: QueueRecord = {
  family,
  name: 'command queue: CFGI_STE',
  size: COMMAND_WORDS,
  encode: (words, at, i) => writeCfgiSte(words, at, streamOf(i), 1),
  decode: (words, at) => (commandOp(words, at) + commandStreamId(words, at) + commandLeaf(words, at)) | 0,
  encodeObject(wide, at, i) {
    const record = { op: BigInt(CMD_CFGI_STE), streamId: BigInt(streamOf(i)), leaf: 1n };
    wide[at] = record.op | (record.streamId << 32n);
    wide[at + 1] = record.leaf;
    return record;
  },
  decodeObject: (wide, at) => ({ op: wide[at] & 0xffn, streamId: wide[at] >> 32n, leaf: wide[at + 1] & 1n }),
};

const VMID = 3;
const ONE_PAGE: number = tlbiRange(0, 0);
const LEAF: number = tlbiScope(0, 1);

const invalidation: QueueRecord = {
  family,
  name: 'command queue: TLBI_NH_VA',
  size: COMMAND_WORDS,
  encode: (words, at, i) =>
    writeTlbiRange(words, at, CMD_TLBI_NH_VA, VMID | (streamOf(i) << 16), ONE_PAGE, LEAF, pageOf(i), PAGE_HI),
  decode: (words, at) =>
    (commandOp(words, at) +
      commandVmid(words, at) +
      commandAsid(words, at) +
      commandLeaf(words, at) +
      ((words[at + 2] >>> 12) | (words[at + 3] << 20)) +
      (words[at + 3] >>> 12)) |
    0,
  encodeObject(wide, at, i) {
    const record = {
      op: BigInt(CMD_TLBI_NH_VA),
      vmid: BigInt(VMID),
      asid: BigInt(streamOf(i)),
      leaf: 1n,
      page: widePageOf(i),
    };
    wide[at] = record.op | (record.vmid << 32n) | (record.asid << 48n);
    wide[at + 1] = record.leaf | (record.page << 12n);
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    const w1 = wide[at + 1];
    return { op: w0 & 0xffn, vmid: (w0 >> 32n) & 0xffffn, asid: w0 >> 48n, leaf: w1 & 1n, page: w1 >> 12n };
  },
};

export const smmuRecords: readonly QueueRecord[] = [
  event,
  pageRequest,
  resume,
  atcInvalidation,
  configuration,
  invalidation,
];
