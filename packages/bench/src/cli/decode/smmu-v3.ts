import {
  commandKind,
  commandOp,
  eventId,
  eventKind,
  isStopMarker,
  PRIQ_FIELDS,
  viewCommand,
  viewEvent,
  viewPriqRecord,
} from '@faultline/hw/smmu-v3';
import type { Names } from './fields.ts';
import { type Meanings, type RecordQueue, when } from './queue.ts';

const FIRST_BYTE = { hi: 7, lo: 0 };
const EVENT_NAMES: Names = {
  ...{ id: 'event number', ssv: 'SSV', substreamId: 'SubstreamID', streamId: 'StreamID', stag: 'STAG', stall: 'Stall' },
  ...{ pnu: 'PnU', ind: 'InD', rnw: 'RnW', s2: 'S2', class: 'CLASS', ttrnw: 'TTRnW', reason: 'Reason' },
  ...{ address: 'input address', ipa: 'IPA', fetch: 'FetchAddr' },
  ...{ ux: 'uX', uw: 'uW', ur: 'uR', px: 'pX', pw: 'pW', pr: 'pR', span: 'Span' },
};
const EVENT_MEANINGS: Meanings = {
  'event number': (id) => eventKind(id)?.name ?? 'no event of SMMUv3',
  SSV: when('SubstreamID is valid', 'no SubstreamID'),
  Stall: when('waits for RESUME or STALL_TERM', 'terminated'),
  PnU: when('privileged', 'unprivileged'),
  InD: when('instruction', 'data'),
  RnW: when('read', 'write'),
  S2: when('stage 2', 'stage 1'),
  CLASS: ['fetching a CD', 'fetching a stage 1 descriptor', 'the input address itself'],
};
const COMMAND_NAMES: Names = {
  ...{ op: 'Op', ssv: 'SSV', substreamId: 'SSID', streamId: 'SID', vmid: 'VMID', asid: 'ASID', leaf: 'Leaf' },
  ...{ num: 'NUM', scale: 'SCALE', ttl: 'TTL', tg: 'TG', range: 'Range', size: 'Size', global: 'Global' },
  ...{ address: 'VA', 'TLBI_S2_IPA.address': 'IPA', 'ATC_INV.address': 'Addr', 'PREFETCH_ADDR.address': 'Addr' },
  ...{ prgIndex: 'PRGI', resp: 'Resp', stag: 'STAG', cs: 'CS', msh: 'MSH', msiAttr: 'MSIAttr', msiData: 'MSIData' },
  msiAddress: 'MSIAddr',
};
const COMMAND_MEANINGS: Meanings = {
  Op: (op) => commandKind(op)?.name ?? 'no command of SMMUv3',
  SSV: when('SSID is valid', 'no SSID'),
  'RESUME.Resp': ['terminate, RAZ/WI', 'retry', 'terminate, abort', 'retry'],
  'PRI_RESP.Resp': ['failure', 'invalid', 'success'],
  CS: ['no signal', 'interrupt', 'SEV'],
  'CFGI_STE_RANGE.Range': (range) => (range === 31 ? 'all streams' : `2^${range + 1} streams`),
  'ATC_INV.Size': (size) => (size === 52 ? 'everything' : size > 52 ? 'reserved' : `2^${size} pages of 4 KiB`),
};
const PRIQ_NAMES: Names = {
  ...{ streamId: 'StreamID', substreamId: 'SubstreamID', priv: 'Priv', exec: 'X', read: 'R', write: 'W', last: 'Last' },
  ...{ ssv: 'SSV', prgIndex: 'PRG index', address: 'page address' },
};
const PRIQ_MEANINGS: Meanings = {
  Priv: when('privileged'),
  X: when('execute'),
  R: when('read'),
  W: when('write'),
  Last: when('ends its group', 'more of its group follow'),
  SSV: when('SubstreamID is valid', 'no SubstreamID'),
};

export const SMMU_QUEUES: readonly RecordQueue[] = [
  {
    ...{ family: 'smmu-v3', name: 'evtq', sizes: [4], names: EVENT_NAMES, meanings: EVENT_MEANINGS },
    judge(words) {
      const kind = eventKind(eventId(words, 0));
      const errors = viewEvent(words, 0).errors;
      return { kind: kind?.name ?? '', fields: kind?.fields ?? [{ name: 'id', ...FIRST_BYTE }], errors };
    },
  },
  {
    ...{ family: 'smmu-v3', name: 'cmdq', sizes: [2], names: COMMAND_NAMES, meanings: COMMAND_MEANINGS },
    judge(words) {
      const kind = commandKind(commandOp(words, 0));
      const errors = viewCommand(words, 0).errors;
      return { kind: kind?.name ?? '', fields: kind?.fields ?? [{ name: 'op', ...FIRST_BYTE }], errors };
    },
  },
  {
    ...{ family: 'smmu-v3', name: 'priq', sizes: [2], names: PRIQ_NAMES, meanings: PRIQ_MEANINGS },
    judge(words) {
      const kind = isStopMarker(words[1]) ? 'STOP_MARKER' : 'PAGE_REQUEST';
      return { kind, fields: PRIQ_FIELDS, errors: viewPriqRecord(words, 0).errors };
    },
  },
];
