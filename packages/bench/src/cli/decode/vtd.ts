import {
  describeFaultRecord,
  describeInvalidation,
  describePageRequest,
  FAULT_REASONS,
  FAULT_RECORD_FIELDS,
  invalidationKind,
  invalidationType,
  PAGE_REQUEST_FIELDS,
} from '@faultline/hw/vtd';
import type { Names } from './fields.ts';
import { type Meanings, type RecordQueue, requesterId, responseCode, when } from './queue.ts';

const REQUEST_NAMES: Names = {
  ...{ type: 'Type', pasidPresent: 'PASID present', rid: 'RID', pasid: 'PASID', exe: 'EXE', priv: 'PRIV' },
  ...{ rd: 'RD', wr: 'WR', lpig: 'LPIG', prgi: 'PRGI' },
};
const REQUEST_MEANINGS: Meanings = {
  Type: (type) => (type === 1 ? 'page request' : 'unknown'),
  'PASID present': when('PASID is valid', 'no PASID'),
  RID: requesterId,
  EXE: when('execute'),
  PRIV: when('privileged'),
  RD: when('read'),
  WR: when('write'),
  LPIG: when('last page in group', 'more of its group follow'),
};
const INVALIDATION_NAMES: Names = {
  ...{ type: ['Type', 0], typeHigh: ['Type', 4], g: 'G', did: 'DID', sid: 'SID', fm: 'FM', dw: 'DW', dr: 'DR' },
  ...{ am: 'AM', ih: 'IH', address: 'addr', pfsidLow: ['PFSID', 0], pfsidHigh: ['PFSID', 4], s: 'S', pasid: 'PASID' },
  ...{ if: 'IF', sw: 'SW', fn: 'FN', pd: 'PD', statusData: 'status data', statusAddress: 'status address' },
  ...{ pasidPresent: 'PASID-present', rid: 'RID', lpig: 'LPIG', prgi: 'PRGI', im: 'IM', iidx: 'IIDX' },
};
const INVALIDATION_MEANINGS: Meanings = {
  Type: (type) => invalidationKind(type)?.name ?? 'unknown',
  'CONTEXT_CACHE.G': ['reserved', 'global', 'domain', 'device'],
  'IOTLB.G': ['reserved', 'global', 'domain', 'page'],
  'PASID_IOTLB.G': ['reserved', 'reserved', 'whole PASID', 'page'],
  'PASID_CACHE.G': ['domain', 'one PASID', 'reserved', 'global'],
  'INTERRUPT_ENTRY.G': ['global', 'by index'],
  DW: when('drains writes'),
  DR: when('drains reads'),
  AM: (lg2) => `2^${lg2} pages`,
  IH: when('leaf entries alone'),
  'DEVICE_TLB.S': when('addr holds the size', 'one page'),
  'PASID_DEVICE_TLB.S': when('addr holds the size', 'one page'),
  SID: requesterId,
  RID: requesterId,
  IF: when('interrupt'),
  SW: when('writes status data'),
  FN: when('fence: what follows starts after it'),
  PD: when('page request drain'),
  'PASID-present': when('PASID is valid', 'no PASID'),
  code: responseCode,
  LPIG: when('ignored'),
};
const FAULT_NAMES: Names = {
  ...{ sid: 'SID', t2: 'T2', priv: 'PRIV', exe: 'EXE', pasidPresent: 'PP', reason: 'FR', pasid: 'PASID', at: 'AT' },
  ...{ t1: 'T1', f: 'F' },
};
const FAULT_MEANINGS: Meanings = {
  SID: requesterId,
  PRIV: when('privileged'),
  EXE: when('execute'),
  PP: when('PASID is valid', 'no PASID'),
  FR: (reason) => FAULT_REASONS.get(reason) ?? 'unknown',
  F: when('a fault is recorded', 'empty'),
};

export const VTD_QUEUES: readonly RecordQueue[] = [
  {
    // Linux prints the first two words alone: the others are reserved.
    ...{ family: 'vtd', name: 'prq', sizes: [4, 2], names: REQUEST_NAMES, meanings: REQUEST_MEANINGS },
    judge(words) {
      const { kind, errors } = describePageRequest(words, 0);
      return { kind, fields: kind === '' ? [{ name: 'type', hi: 7, lo: 0 }] : PAGE_REQUEST_FIELDS, errors };
    },
  },
  {
    ...{ family: 'vtd', name: 'iq', sizes: [4, 2], names: INVALIDATION_NAMES, meanings: INVALIDATION_MEANINGS },
    judge(words, size) {
      const { kind, errors } = describeInvalidation(words, 0, 2 * size);
      const unknown = [
        { name: 'type', hi: 3, lo: 0 },
        { name: 'typeHigh', hi: 11, lo: 9 },
      ];
      return { kind, fields: invalidationKind(invalidationType(words, 0))?.fields ?? unknown, errors };
    },
  },
  {
    ...{ family: 'vtd', name: 'fault', sizes: [2], names: FAULT_NAMES, meanings: FAULT_MEANINGS },
    judge(words) {
      const { kind, errors } = describeFaultRecord(words, 0);
      return { kind, fields: FAULT_RECORD_FIELDS, errors };
    },
  },
];
