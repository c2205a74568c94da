import { FAULT_PERM_READ } from '@faultline/core';
import {
  checkInvalidation,
  DESCRIPTOR_WORDS,
  deviceTlbPageHi,
  deviceTlbPageLo,
  deviceTlbPasid,
  deviceTlbRid,
  deviceTlbSize,
  INV_PAGE_GROUP_RESPONSE,
  INV_PASID_DEVICE_TLB,
  INV_PASID_IOTLB,
  invalidationType,
  PAGE_REQUEST_TYPE,
  PASID_IOTLB_PAGE,
  PGR_INVALID,
  REQUEST_DESCRIPTOR_WORDS,
  requestIsLast,
  requestPageHi,
  requestPageLo,
  requestPasid,
  requestPerm,
  requestPrgi,
  requestRid,
  responseCode,
  responsePasid,
  responsePrgi,
  responseRid,
  writeDeviceTlbInvalidation,
  writePageGroupResponse,
  writePageRequest,
  writePasidIotlbInvalidation,
} from '@faultline/hw/vtd';
import { groupOf, PAGE_HI, pageOf, pasidOf, type QueueRecord, RANGE_LG2, streamOf, widePageOf } from './record.ts';

const family = 'VT-d';

const pageRequest: QueueRecord = {
  family,
  name: 'page request queue: request',
  size: REQUEST_DESCRIPTOR_WORDS,
  encode: (words, at, i) =>
    writePageRequest(words, at, streamOf(i), pasidOf(i), FAULT_PERM_READ, true, groupOf(i), pageOf(i), PAGE_HI),
  decode: (words, at) =>
    ((words[at] & 0xff) +
      requestRid(words, at) +
      requestPasid(words, at) +
      requestPerm(words, at) +
      (requestIsLast(words, at) ? 1 : 0) +
      requestPrgi(words, at) +
      requestPageLo(words, at) +
      requestPageHi(words, at)) |
    0,
  encodeObject(wide, at, i) {
    const record = {
      type: BigInt(PAGE_REQUEST_TYPE),
      rid: BigInt(streamOf(i)),
      pasid: BigInt(pasidOf(i)),
      perm: BigInt(FAULT_PERM_READ),
      lpig: 1n,
      prgi: BigInt(groupOf(i)),
      page: widePageOf(i),
    };
    wide[at] = record.type | (1n << 8n) | (record.rid << 16n) | (record.pasid << 32n);
    wide[at + 1] = record.perm | (record.lpig << 2n) | (record.prgi << 3n) | (record.page << 12n);
    wide[at + 2] = 0n;
    wide[at + 3] = 0n;
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    const w1 = wide[at + 1];
    return {
      type: w0 & 0xffn,
      rid: (w0 >> 16n) & 0xffffn,
      pasid: (w0 >> 32n) & 0xfffffn,
      perm: w1 & 3n,
      lpig: (w1 >> 2n) & 1n,
      prgi: (w1 >> 3n) & 0x1ffn,
      page: w1 >> 12n,
    };
  },
};

const response: QueueRecord = {
  family,
  name: 'invalidation queue: page group response',
  size: DESCRIPTOR_WORDS,
  encode: (words, at, i) => writePageGroupResponse(words, at, streamOf(i), pasidOf(i), groupOf(i), PGR_INVALID),
  decode: (words, at) =>
    (invalidationType(words, at) +
      responseRid(words, at) +
      responsePasid(words, at) +
      responsePrgi(words, at) +
      responseCode(words, at)) |
    0,
  encodeObject(wide, at, i) {
    const record = {
      type: BigInt(INV_PAGE_GROUP_RESPONSE),
      rid: BigInt(streamOf(i)),
      pasid: BigInt(pasidOf(i)),
      prgi: BigInt(groupOf(i)),
      code: BigInt(PGR_INVALID),
    };
    wide[at] = record.type | (1n << 4n) | (record.code << 12n) | (record.rid << 16n) | (record.pasid << 32n);
    wide[at + 1] = record.prgi << 3n;
    wide[at + 2] = 0n;
    wide[at + 3] = 0n;
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    return {
      type: (w0 & 0xfn) | ((w0 >> 5n) & 0x70n),
      rid: (w0 >> 16n) & 0xffffn,
      pasid: (w0 >> 32n) & 0xfffffn,
      prgi: (wide[at + 1] >> 3n) & 0x1ffn,
      code: (w0 >> 12n) & 0xfn,
    };
  },
};

const iotlb: QueueRecord = {
  family,
  name: 'invalidation queue: IOTLB, checked',
  size: DESCRIPTOR_WORDS,
  encode: (words, at, i) =>
    writePasidIotlbInvalidation(words, at, streamOf(i), pasidOf(i), pageOf(i), PAGE_HI, RANGE_LG2),
  decode: (words, at) =>
    (checkInvalidation(words, at, DESCRIPTOR_WORDS) +
      invalidationType(words, at) +
      (words[at] >>> 16) +
      (words[at + 1] & 0xfffff) +
      (words[at + 2] & 0x3f) +
      ((words[at + 2] >>> 12) | (words[at + 3] << 20)) +
      (words[at + 3] >>> 12)) |
    0,
  encodeObject(wide, at, i) {
    const record = {
      type: BigInt(INV_PASID_IOTLB),
      did: BigInt(streamOf(i)),
      pasid: BigInt(pasidOf(i)),
      am: BigInt(RANGE_LG2),
      page: widePageOf(i),
    };
    wide[at] = record.type | (BigInt(PASID_IOTLB_PAGE) << 4n) | (record.did << 16n) | (record.pasid << 32n);
    wide[at + 1] = record.am | (record.page << 12n);
    wide[at + 2] = 0n;
    wide[at + 3] = 0n;
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    const w1 = wide[at + 1];
    return {
      type: (w0 & 0xfn) | ((w0 >> 5n) & 0x70n),
      did: (w0 >> 16n) & 0xffffn,
      pasid: (w0 >> 32n) & 0xfffffn,
      am: w1 & 0x3fn,
      page: w1 >> 12n,
    };
  },
};

const deviceTlb: QueueRecord = {
  family,
  name: 'invalidation queue: device-TLB',
  size: DESCRIPTOR_WORDS,
  encode: (words, at, i) =>
    writeDeviceTlbInvalidation(words, at, streamOf(i), pasidOf(i), pageOf(i), PAGE_HI, RANGE_LG2),
  decode(words, at) {
    const sizeLg2 = deviceTlbSize(words, at);
    return (
      (invalidationType(words, at) +
        deviceTlbRid(words, at) +
        deviceTlbPasid(words, at) +
        sizeLg2 +
        deviceTlbPageLo(words, at, sizeLg2) +
        deviceTlbPageHi(words, at, sizeLg2)) |
      0
    );
  },
  encodeObject(wide, at, i) {
    const record = {
      type: BigInt(INV_PASID_DEVICE_TLB),
      rid: BigInt(streamOf(i)),
      pasid: BigInt(pasidOf(i)),
      sizeLg2: BigInt(RANGE_LG2),
      page: widePageOf(i),
    };
    const sized = record.page | ((1n << (record.sizeLg2 - 1n)) - 1n);
    wide[at] = record.type | (record.rid << 16n) | (record.pasid << 32n);
    wide[at + 1] = (1n << 11n) | (sized << 12n);
    wide[at + 2] = 0n;
    wide[at + 3] = 0n;
    return record;
  },
  decodeObject(wide, at) {
    const w0 = wide[at];
    const sized = wide[at + 1] >> 12n;
    let sizeLg2 = 1n;
    while (((sized >> (sizeLg2 - 1n)) & 1n) === 1n) sizeLg2++;
    return {
      type: (w0 & 0xfn) | ((w0 >> 5n) & 0x70n),
      rid: (w0 >> 16n) & 0xffffn,
      pasid: (w0 >> 32n) & 0xfffffn,
      sizeLg2,
      page: sized & -(1n << sizeLg2),
    };
  },
};

export const vtdRecords: readonly QueueRecord[] = [pageRequest, response, iotlb, deviceTlb];
