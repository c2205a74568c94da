import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { getFields } from '../record/fields.ts';
import {
  CONTEXT_FIELDS,
  decodeFaultRecord,
  describeFaultRecord,
  encodeFaultRecord,
  encodePasidEntry,
  FAULT_OF_ATOMIC,
  FAULT_OF_PAGE_REQUEST,
  FAULT_OF_READ,
  FAULT_OF_WRITE,
  FAULT_REASONS,
  FAULT_RECORD_FIELDS,
  FAULT_RECORD_WORDS,
  FSTS_FRI_MASK,
  FSTS_ICE,
  FSTS_IQE,
  FSTS_ITE,
  FSTS_PFO,
  FSTS_PPF,
  faultLastWord,
  faultOf,
  GCMD_QIE,
  GCMD_TE,
  ICS_IWC,
  IQA_DW,
  PASID_ENTRY_FIELDS,
  PASID_ENTRY_WORDS,
  PECTL_IM,
  PECTL_IP,
  PRS_PPR,
  PRS_PRO,
  VTD_REGISTERS,
  writeFaultRecord,
} from './index.ts';
import * as registers from './registers.ts';
import { hex, valuesOf } from './testing/records.ts';

describe('fault records and table entries', () => {
  test('a fault record by hand, both ways', () => {
    const words = new Int32Array(FAULT_RECORD_WORDS).fill(-1);
    // reason 0x59, PASID 0x12345 in bits 123:104, SID 0xabcd, PP, T2, F
    writeFaultRecord(words, 0, 0xabcd, 0x12345, 3, 0x76543210, 0xfedcb);
    words[3] = faultLastWord(0x59, 0x12345);
    expect(hex(words)).toEqual(['fedcb76543210000', '812345599000abcd']);
    const byTable = new Int32Array(FAULT_RECORD_WORDS);
    encodeFaultRecord(byTable, 0, decodeFaultRecord(words, 0).fields);
    expect(hex(byTable)).toEqual(hex(words));
    expect(decodeFaultRecord(words, 0).fields).toMatchObject({
      f: 1,
      t1: 0,
      t2: 1,
      reason: 0x59,
      pasidPresent: 1,
      pasid: 0x12345,
      sid: 0xabcd,
    });
    fc.assert(
      fc.property(valuesOf(FAULT_RECORD_FIELDS, []), (values) => {
        encodeFaultRecord(byTable, 0, values);
        expect(describeFaultRecord(byTable, 0).fields).toEqual(values);
      }),
    );
  });

  test('EXE and PRIV are bits 94 and 93, PP bit 95; T1 = 0 with T2 = 1 is a page request', () => {
    const words = new Int32Array(FAULT_RECORD_WORDS);
    writeFaultRecord(words, 0, 0x0108, 9, 2 | 4 | 8, 1, 0);
    words[3] = faultLastWord(0x5c, 9);
    expect(hex(words)).toEqual(['0000000000001000', '8000095cf0000108']);
    writeFaultRecord(words, 0, 0x0108, -1, 1, 1, 0);
    words[3] = faultLastWord(0x47, -1);
    expect(hex(words)).toEqual(['0000000000001000', '8000004710000108']);
    expect(faultOf(decodeFaultRecord(words, 0).fields)).toBe(FAULT_OF_PAGE_REQUEST);
    expect([0, 1].flatMap((t1) => [0, 1].map((t2) => faultOf({ t1, t2 })))).toEqual([
      FAULT_OF_WRITE,
      FAULT_OF_PAGE_REQUEST,
      FAULT_OF_READ,
      FAULT_OF_ATOMIC,
    ]);
  });

  test('an empty record, an unknown reason and a reserved bit are errors', () => {
    const words = new Int32Array(FAULT_RECORD_WORDS);
    expect(describeFaultRecord(words, 0).errors).toEqual([
      'F is clear: no fault is recorded here',
      "reason 0x0 is none of a page request's",
    ]);
    words[3] = faultLastWord(0x47, -1);
    words[0] = 1;
    expect(() => decodeFaultRecord(words, 0)).toThrow('w0: bit 0 is reserved and set');
  });

  test('PASID table entries by hand, from Linux’s positions', () => {
    const words = new Int32Array(PASID_ENTRY_WORDS);
    encodePasidEntry(words, 0, {
      kind: 'nested',
      did: 0x77,
      firstLevelLo: 0x76543000,
      firstLevelHi: 1,
      secondLevelLo: 0x9abc_d000,
      secondLevelHi: 2,
      supervisor: true,
      execute: true,
    });
    // w0: P, AW 2, PGTT 3 (0xc0), second level; w1: DID; w2: SRE, ERE, WPE, first level
    expect(hex(words, 6)).toEqual(['000000029abcd0c9', '0000000000000077', '0000000176543013']);
    encodePasidEntry(words, 0, { kind: 'first-level', did: 1, firstLevelLo: 0x1000 });
    expect(hex(words, 6)).toEqual(['0000000000000041', '0000000000000001', '0000000000001010']);
    encodePasidEntry(words, 0, { kind: 'second-level', did: 1, secondLevelLo: 0x1000 });
    expect(hex(words, 6)).toEqual(['0000000000001089', '0000000000000001', '0000000000000000']);
    encodePasidEntry(words, 0, { kind: 'identity', did: 1 });
    expect(getFields(words, 0, PASID_ENTRY_FIELDS)).toMatchObject({ p: 1, pgtt: 4, did: 1 });
    expect(() => encodePasidEntry(words, 0, { kind: 'identity', did: 65536 })).toThrow('did = 65536');
  });

  test('context entry fields stand where Linux puts them', () => {
    const words = Int32Array.of(0x5000 | 0x1d | (3 << 9), 2, 0x12345 | (1 << 20), 0, 0, 0, 0, 0);
    expect(getFields(words, 0, CONTEXT_FIELDS)).toEqual({
      p: 1,
      fpd: 0,
      dte: 1,
      paside: 1,
      pre: 1,
      pdts: 3,
      pasidDirectoryLo: 0x5000,
      pasidDirectoryHi: 2,
      ridPasid: 0x12345,
      ridPriv: 1,
    });
  });

  test('registers stand where the specification puts them, and do not overlap', () => {
    expect(Object.fromEntries(VTD_REGISTERS.map((r) => [r.name, r.offset]))).toMatchObject({
      ...{ PQH: 0xc0, PQT: 0xc8, PQA: 0xd0, PRS: 0xdc, PECTL: 0xe0, PEDATA: 0xe4, PEADDR: 0xe8 },
      ...{ IQH: 0x80, IQT: 0x88, IQA: 0x90, ICS: 0x9c, IQERCD: 0xb0, FSTS: 0x34, FECTL: 0x38 },
      ...{ VER: 0, CAP: 8, ECAP: 0x10, GCMD: 0x18, GSTS: 0x1c },
    });
    const sorted = [...VTD_REGISTERS].sort((a, b) => a.offset - b.offset);
    for (let i = 1; i < sorted.length; i++)
      expect(sorted[i].offset, sorted[i].name).toBeGreaterThanOrEqual(sorted[i - 1].offset + sorted[i - 1].bytes);
    expect([PRS_PPR, PRS_PRO, PECTL_IP >>> 0, PECTL_IM >>> 0]).toEqual([1, 2, 0x4000_0000, 0x8000_0000]);
    expect([FSTS_PFO, FSTS_PPF, FSTS_IQE, FSTS_ICE, FSTS_ITE, FSTS_FRI_MASK]).toEqual([1, 2, 0x10, 0x20, 0x40, 0xff00]);
    expect([IQA_DW, ICS_IWC, GCMD_QIE, GCMD_TE >>> 0]).toEqual([0x800, 1, 0x400_0000, 0x8000_0000]);
    const { IQEI_NONE, IQEI_TAIL, IQEI_FETCH, IQEI_TYPE, IQEI_RESERVED, IQEI_WIDTH, IQEI_TAIL_MISALIGNED, IQEI_MODE } =
      registers;
    expect([IQEI_NONE, IQEI_TAIL, IQEI_FETCH, IQEI_TYPE]).toEqual([0, 1, 2, 3]);
    expect([IQEI_RESERVED, IQEI_WIDTH, IQEI_TAIL_MISALIGNED, IQEI_MODE]).toEqual([4, 5, 6, 7]);
    expect([...FAULT_REASONS.keys()].map((reason) => reason.toString(16)).join(' ')).toBe(
      '40 41 42 44 45 46 47 48 50 51 52 58 59 5a 5b 5c 5d',
    );
  });
});
