import {
  COMMAND_KINDS,
  describeCommand,
  describeEventEntry,
  describePprEntry,
  EVENT_KINDS,
  PPR_KINDS,
  type RecordKind,
} from '@faultline/hw/amd';
import type { Names } from './fields.ts';
import { type Judged, type Meanings, type RecordQueue, requesterId, responseCode, when } from './queue.ts';

const PPR_NAMES: Names = {
  ...{ device: 'device ID', pasidLo: ['PASID', 0], pasidHi: ['PASID', 16], prgIndex: 'PRG index', last: 'Last' },
  ...{ exec: 'EXEC', read: 'READ', write: 'WRITE', user: 'U', reservedNonzero: 'reserved-nonzero', gn: 'GN' },
};
const PPR_MEANINGS: Meanings = {
  type: typeMeaning(PPR_KINDS),
  'device ID': requesterId,
  Last: when('ends its group', 'more of its group follow'),
  EXEC: when('execute'),
  READ: when('read'),
  WRITE: when('write'),
  U: when('user', 'supervisor'),
  'reserved-nonzero': when('a reserved bit was set'),
  GN: when('PASID is valid', 'no PASID'),
};
const COMMAND_NAMES: Names = {
  'COMPLETION_WAIT.s': 'store',
  ...{ i: 'interrupt', f: 'flush', store: 'address', dataLo: ['data', 0], dataHi: ['data', 32] },
  ...{ pasid: 'PASID', s: 'S', pde: 'PDE', gn: 'GN', address: 'addr', maxPend: 'queue depth', queue: 'queue ID' },
  ...{ pasid7_0: ['PASID', 0], pasid15_8: ['PASID', 8], pasid19_16: ['PASID', 16], prgIndex: 'tag' },
};
const COMMAND_MEANINGS: Meanings = {
  type: typeMeaning(COMMAND_KINDS),
  device: requesterId,
  store: when('writes data to address'),
  interrupt: when('interrupt'),
  S: when('addr holds the size', 'one page'),
  PDE: when('table entries as well', 'leaf entries alone'),
  GN: when('PASID is valid', 'no PASID'),
  status: responseCode,
};
const EVENT_NAMES: Names = {
  ...{ 'INVALID_PPR_REQUEST.user': 'U', 'INVALID_PPR_REQUEST.write': 'WRITE', ...PPR_NAMES },
  ...{ 'INVALID_PPR_REQUEST.reservedNonzero': 'reserved-nonzero', domainOrPasidLo: 'domain or PASID[15:0]' },
  ...{ 'IO_PAGE_FAULT.pasidHi': 'PASID[19:16]', 'PAGE_TAB_HARDWARE_ERROR.pasidHi': 'PASID[19:16]' },
  ...{ nx: 'NX', user: 'US', interrupt: 'I', present: 'PR', write: 'RW', permission: 'PE', reservedNonzero: 'RZ' },
  ...{ translation: 'TR', noteLo: ['note', 0], noteHi: ['note', 32] },
};
const EVENT_MEANINGS: Meanings = {
  ...PPR_MEANINGS,
  type: typeMeaning(EVENT_KINDS),
  NX: when('execute'),
  US: when('user', 'supervisor'),
  I: when('interrupt request', 'memory request'),
  PR: when('present', 'not present'),
  RW: when('write', 'read'),
  PE: when('no permission'),
  RZ: when('a reserved bit was set'),
  TR: when('translation request', 'transaction'),
};

function typeMeaning(kinds: readonly RecordKind[]): (type: number) => string {
  return (type) => kinds.find((kind) => kind.type === type)?.name ?? (type === 0 ? 'not arrived yet' : 'unknown');
}

function judge(
  kinds: readonly RecordKind[],
  describe: (words: Int32Array, at: number) => { errors: readonly string[] },
) {
  return (words: Int32Array): Judged => {
    const kind = kinds.find(({ type }) => type === words[1] >>> 28);
    const fields = kind?.fields ?? [{ name: 'type', hi: 63, lo: 60 }];
    return { kind: kind?.name ?? '', fields, errors: describe(words, 0).errors };
  };
}

export const AMD_QUEUES: readonly RecordQueue[] = [
  {
    ...{ family: 'amd', name: 'ppr', sizes: [2], names: PPR_NAMES, meanings: PPR_MEANINGS },
    judge: judge(PPR_KINDS, describePprEntry),
  },
  {
    ...{ family: 'amd', name: 'cmd', sizes: [2], names: COMMAND_NAMES, meanings: COMMAND_MEANINGS },
    judge: judge(COMMAND_KINDS, describeCommand),
  },
  {
    ...{ family: 'amd', name: 'event', sizes: [2], names: EVENT_NAMES, meanings: EVENT_MEANINGS },
    judge: judge(EVENT_KINDS, describeEventEntry),
  },
];
