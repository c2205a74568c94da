import { FAULT_PERM_WRITE } from '@faultline/core/iopf';
import { describe, expect, test } from 'vitest';
import {
  ATS_COMPLETER_ABORT,
  ATS_TRANSLATE,
  ATS_UNSUPPORTED,
  CMD_CFGI_CD,
  CMD_CFGI_CD_ALL,
  CMD_CFGI_STE,
  CMD_PREFETCH_CFG,
  CMD_RESUME,
  CONTEXT_DEFAULTS,
  CR2_REC_CFG_ATS,
  decodeEvent,
  encodeCd,
  type FieldValues,
  S1DSS_BYPASS,
  S1DSS_SSID0,
  S1DSS_TERMINATE,
  S1FMT_4K_L2,
  STALL_ABORT,
  STALL_RETRY,
  STE_CONFIG_BYPASS,
  STE_CONFIG_S1,
  STE_CONFIG_S2,
  writeL1Cd,
} from './index.ts';
import { SMMU_CR0, SMMU_CR2 } from './layout.ts';
import { CR0_ATSCHK, CR2_RECINVSID } from './registers.ts';
import { Rig, type RigConfig } from './rig.test-help.ts';

const STREAM = 1;
const pointer = (at: number): FieldValues => ({ s1ContextPtrLo: (at << 2) >>> 0, s1ContextPtrHi: at >>> 30 });

/** Stream 1 with an entry and descriptors of its own, told to the hardware. */
function open(
  substreamId: number,
  ste: FieldValues,
  cds: Record<number, FieldValues> = {},
  config: RigConfig = {},
): Rig {
  const rig = new Rig({ contextLog2: 3, portList: [{ streamId: STREAM, substreamId }], ...config });
  for (const [index, cd] of Object.entries(cds))
    encodeCd(rig.words, rig.contextsAt(STREAM) + Number(index) * 16, { ...CONTEXT_DEFAULTS, ...cd });
  rig.setSte(STREAM, { v: 1, config: STE_CONFIG_S1, ...pointer(rig.contextsAt(STREAM)), s1CDMax: 3, ...ste });
  command(rig, CMD_CFGI_STE, { streamId: STREAM });
  return rig;
}

function command(rig: Rig, op: number, values: FieldValues): void {
  rig.ops[0].issue(op, values);
  rig.ops[0].flushResponses();
  rig.hw.pump(64);
}

/** One access of stream 1. @returns its event's name, or how it ended without one. */
function access(rig: Rig): string {
  rig.ports[0].reset();
  const before = rig.prod;
  rig.post(0, 1, 0x1234, FAULT_PERM_WRITE);
  rig.hw.pump(64);
  if (rig.prod !== before) {
    const { name, values } = decodeEvent(rig.words, rig.entry(before & 15));
    if (values.stall === 1) {
      command(rig, CMD_RESUME, { streamId: STREAM, stag: values.stag, resp: 2 });
      return `${name} stalled${values.s2 === 1 ? ' at stage 2' : ''}`;
    }
    return values.s2 === 1 ? `${name} at stage 2` : name;
  }
  return rig.results(0)[0] === STALL_RETRY ? 'bypassed' : rig.results(0)[0] === STALL_ABORT ? 'aborted' : 'waiting';
}

describe('an access, by stream table entry and context descriptor', () => {
  const stage2 = { config: STE_CONFIG_S2, s2T0SZ: 16, s2SL0: 2, s2PS: 5, s2AA64: 1 };
  test.each([
    ['a stalling context', 2, {}, { 2: { s: 1 } }, 'F_TRANSLATION stalled'],
    ['a stalling one that does not record', 2, {}, { 2: { s: 1, r: 0 } }, 'F_TRANSLATION stalled'], // S: R does not count
    ['one that records', 2, {}, { 2: {} }, 'F_TRANSLATION'],
    ['one that does not', 2, {}, { 2: { r: 0 } }, 'aborted'],
    ['an empty descriptor', 2, {}, {}, 'C_BAD_CD'],
    ['an illegal descriptor', 2, {}, { 2: { t0sz: 50 } }, 'C_BAD_CD'],
    ['a stall that the entry forbids', 2, { s1STALLD: 1 }, { 2: { s: 1 } }, 'C_BAD_CD'],
    ['an illegal entry', 2, { strw: 1 }, { 2: {} }, 'C_BAD_STE'],
    ['a substream beyond the table', 8, {}, {}, 'C_BAD_SUBSTREAMID'],
    ['a substream where there are none', 0, { s1CDMax: 0 }, { 0: {} }, 'C_BAD_SUBSTREAMID'],
    ['a substream of a bypass stream', 2, { config: STE_CONFIG_BYPASS }, {}, 'C_BAD_SUBSTREAMID'],
    ['a substream of a stage-2 stream', 2, stage2, {}, 'C_BAD_SUBSTREAMID'],
    ['no substream, none supported', -1, { s1CDMax: 0 }, { 0: { s: 1 } }, 'F_TRANSLATION stalled'],
    ['no substream, terminated', -1, { s1DSS: S1DSS_TERMINATE }, { 0: {} }, 'F_STREAM_DISABLED'],
    ['no substream, bypassed', -1, { s1DSS: S1DSS_BYPASS }, {}, 'bypassed'],
    ['no substream, descriptor 0', -1, { s1DSS: S1DSS_SSID0 }, { 0: { s: 1 } }, 'F_TRANSLATION stalled'],
    ['substream 0 where that is for none', 0, { s1DSS: S1DSS_SSID0 }, { 0: {} }, 'F_STREAM_DISABLED'],
    ['substream 0 otherwise', 0, { s1DSS: S1DSS_TERMINATE }, { 0: { s: 1 } }, 'F_TRANSLATION stalled'],
    ['stage 2 that stalls', -1, { ...stage2, s2S: 1 }, {}, 'F_TRANSLATION stalled at stage 2'],
    ['stage 2 that records', -1, { ...stage2, s2R: 1 }, {}, 'F_TRANSLATION at stage 2'],
    ['stage 2 that does not', -1, stage2, {}, 'aborted'],
    ['a table outside memory', 2, { s1ContextPtrHi: 0xff }, {}, 'F_CD_FETCH'],
  ])('%s', (_name, substreamId, ste, cds, outcome) => {
    const rig = open(substreamId, ste as FieldValues, cds as Record<number, FieldValues>);
    expect(access(rig)).toBe(outcome);
    expect(access(rig)).toBe(outcome); // from the cache
  });

  test('a stage-2 fault carries its input address as IPA', () => {
    const rig = open(-1, { ...stage2, s2R: 1 });
    access(rig);
    expect(decodeEvent(rig.words, rig.entry(0)).values).toMatchObject({
      s2: 1,
      class: 2,
      addressLo: 0x1234000,
      ipaLo: 0x1234000,
    });
  });

  test('F_CD_FETCH names the address', () => {
    const rig = open(2, { s1ContextPtrHi: 0x12 });
    expect(access(rig)).toBe('F_CD_FETCH');
    const low = ((rig.contextsAt(STREAM) + 2 * 16) << 2) >>> 0;
    expect(decodeEvent(rig.words, rig.entry(0)).values).toMatchObject({
      ssv: 1,
      substreamId: 2,
      fetchLo: low,
      fetchHi: 0x12,
    });
  });

  test('two levels: an empty first-level entry is C_BAD_SUBSTREAMID, a good one leads on', () => {
    const rig = open(0x45, { s1Fmt: S1FMT_4K_L2, s1CDMax: 7 }, {}, { streams: 64 });
    const l1 = rig.contextsAt(STREAM);
    const leaf = Math.ceil((l1 + 64) / 1024) * 1024; // on 4 KiB: the neighbours' tables, which are empty
    expect(access(rig)).toBe('C_BAD_SUBSTREAMID');
    writeL1Cd(rig.words, l1 + 2, leaf);
    encodeCd(rig.words, leaf + 5 * 16, { ...CONTEXT_DEFAULTS, s: 1 });
    expect(access(rig)).toBe('C_BAD_SUBSTREAMID'); // until it is told
    command(rig, CMD_CFGI_CD, { streamId: STREAM, substreamId: 0x45 });
    expect(access(rig)).toBe('F_TRANSLATION stalled');
  });

  test.each([
    ['CFGI_CD', CMD_CFGI_CD, { streamId: STREAM, substreamId: 2 }, true],
    ['CFGI_CD of another substream', CMD_CFGI_CD, { streamId: STREAM, substreamId: 3 }, false],
    ['CFGI_CD of another stream', CMD_CFGI_CD, { streamId: 2, substreamId: 2 }, false],
    ['CFGI_CD_ALL', CMD_CFGI_CD_ALL, { streamId: STREAM }, true],
    ['CFGI_CD_ALL of another stream', CMD_CFGI_CD_ALL, { streamId: 2 }, false],
    ['CFGI_STE', CMD_CFGI_STE, { streamId: STREAM, leaf: 1 }, true],
    ['CFGI_STE of another stream', CMD_CFGI_STE, { streamId: 2 }, false],
    ['PREFETCH_CFG', CMD_PREFETCH_CFG, { streamId: STREAM, ssv: 1, substreamId: 2 }, false],
  ])('a changed descriptor counts after %s: %o', (_name, op, values, counts) => {
    const rig = open(2, {}, { 2: { s: 1 } });
    expect(access(rig)).toBe('F_TRANSLATION stalled');
    encodeCd(rig.words, rig.contextsAt(STREAM) + 32, { ...CONTEXT_DEFAULTS, s: 0 });
    expect(access(rig)).toBe('F_TRANSLATION stalled');
    command(rig, op, values as FieldValues);
    expect(access(rig)).toBe(counts ? 'F_TRANSLATION' : 'F_TRANSLATION stalled');
  });

  test('a prefetch of what is not there yet keeps it away: nothing is recorded for it', () => {
    const rig = open(2, {});
    command(rig, CMD_PREFETCH_CFG, { streamId: STREAM, ssv: 1, substreamId: 2 });
    expect(rig.prod).toBe(0);
    encodeCd(rig.words, rig.contextsAt(STREAM) + 32, { ...CONTEXT_DEFAULTS, s: 1 });
    expect(access(rig)).toBe('C_BAD_CD');
  });
});

describe('ATS', () => {
  const good = { 2: { s: 0 } };
  test.each([
    ['full ATS', { eats: 1 }, 0, ATS_TRANSLATE, ''],
    ['no ATS', { eats: 0 }, 0, ATS_UNSUPPORTED, 'F_BAD_ATS_TREQ'],
    ['bypass', { config: STE_CONFIG_BYPASS, eats: 1 }, 0, ATS_UNSUPPORTED, 'F_BAD_ATS_TREQ'],
    ['abort', { config: 0, eats: 1 }, 0, ATS_UNSUPPORTED, ''],
    ['an illegal entry', { v: 0 }, 0, ATS_COMPLETER_ABORT, ''],
    ['an illegal entry, recorded', { v: 0 }, CR2_REC_CFG_ATS, ATS_COMPLETER_ABORT, 'C_BAD_STE'],
    [
      'an illegal descriptor',
      { eats: 1, s1DSS: 2, s1CDMax: 1 },
      CR2_REC_CFG_ATS,
      ATS_COMPLETER_ABORT,
      'C_BAD_SUBSTREAMID',
    ],
  ])('a translation request: %s', (_name, ste, cr2, outcome, event) => {
    const rig = open(2, ste, good);
    Atomics.store(rig.words, rig.base + SMMU_CR2, CR2_RECINVSID | cr2);
    expect(rig.hw.ats.translationRequest(STREAM, 2, 0x1234, 0)).toBe(outcome);
    rig.hw.pump(1);
    expect(rig.prod === 0 ? '' : decodeEvent(rig.words, rig.entry(0)).name).toBe(event);
    if (event === 'F_BAD_ATS_TREQ')
      expect(decodeEvent(rig.words, rig.entry(0)).values).toEqual({
        id: 5,
        ssv: 1,
        substreamId: 2,
        streamId: STREAM,
        addressLo: 0x1234000,
        addressHi: 0,
      });
  });

  test('a translated access is checked with ATSCHK alone', () => {
    const rig = open(2, { eats: 0 }, good);
    expect(rig.hw.ats.translatedAccess(STREAM, 2, FAULT_PERM_WRITE, 1, 0)).toBe(true);
    Atomics.or(rig.words, rig.base + SMMU_CR0, CR0_ATSCHK);
    rig.hw.pump(1);
    expect(rig.hw.ats.translatedAccess(STREAM, 2, FAULT_PERM_WRITE, 1, 0)).toBe(false);
    rig.hw.pump(1);
    expect(decodeEvent(rig.words, rig.entry(0))).toMatchObject({
      name: 'F_TRANSL_FORBIDDEN',
      values: { rnw: 0, addressLo: 0x1000 },
    });
    rig.setSte(STREAM, { v: 0 });
    command(rig, CMD_CFGI_STE, { streamId: STREAM });
    expect(rig.hw.ats.translatedAccess(STREAM, 2, FAULT_PERM_WRITE, 1, 0)).toBe(false);
    rig.hw.pump(1);
    expect(rig.prod).toBe(1); // no event for an entry that cannot be used
  });

  test('off with SMMUEN', () => {
    const rig = open(2, { eats: 1 }, good);
    Atomics.and(rig.words, rig.base + SMMU_CR0, ~1);
    rig.hw.pump(1);
    expect(rig.hw.ats.translationRequest(STREAM, 2, 1, 0)).toBe(ATS_UNSUPPORTED);
    expect(rig.hw.ats.translatedAccess(STREAM, 2, FAULT_PERM_WRITE, 1, 0)).toBe(false);
  });
});
