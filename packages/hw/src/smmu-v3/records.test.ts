import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldMax } from '../record/fields.ts';
import {
  accessBits,
  CMD_CFGI_STE_RANGE,
  CMD_PRI_RESP,
  CMD_RESUME,
  CMD_STALL_TERM,
  CMD_SYNC,
  CMD_TLBI_NH_VA,
  COMMAND_KINDS,
  COMMAND_WORDS,
  commandStreamId,
  decodeCommand,
  decodeEvent,
  describeFields,
  EVENT_KINDS,
  EVENT_WORDS,
  EVT_C_BAD_SUBSTREAMID,
  EVT_F_PERMISSION,
  EVT_F_TRANSLATION,
  encodeCommand,
  encodeEvent,
  eventPerm,
  eventStag,
  eventStalls,
  eventStreamId,
  type Field,
  type FieldValues,
  resumeResp,
  resumeStag,
  substreamBits,
  syncSignal,
  syncWordAt,
  writeConfigurationEvent,
  writeResume,
  writeSync,
  writeSyncMsi,
  writeTranslationFault,
} from './index.ts';

const hex = (words: Int32Array): string[] => Array.from(words, (w) => (w >>> 0).toString(16).padStart(8, '0'));
const u32 = fc.integer({ min: 0, max: 0xffffffff });

/** Values that fit every field: for fields that keep their place, only the field's own bits. */
function valuesOf(fields: readonly Field[]): fc.Arbitrary<FieldValues> {
  const entries = fields
    .filter((f) => f.name !== 'id' && f.name !== 'op')
    .map((f): [string, fc.Arbitrary<number>] => {
      const max = fieldMax(f);
      return [f.name, f.inPlace ? u32.map((v) => (v & max) >>> 0) : fc.integer({ min: 0, max })];
    });
  return fc.record(Object.fromEntries(entries)) as fc.Arbitrary<FieldValues>;
}

describe('event records', () => {
  // Word by word from the architecture's pictures: stream 0x89abcdef, substream 0x12345, tag 0xbeef,
  // a privileged instruction read at 0xfedcba9876543210.
  const translation = ['12345810', '89abcdef', '8000beef', '0000020e', '76543210', 'fedcba98', '00000000', '00000000'];

  test('F_TRANSLATION by hand, from the table', () => {
    const words = new Int32Array(EVENT_WORDS).fill(-1);
    encodeEvent(words, 0, EVT_F_TRANSLATION, {
      ssv: 1,
      substreamId: 0x12345,
      streamId: 0x89abcdef,
      stag: 0xbeef,
      stall: 1,
      pnu: 1,
      ind: 1,
      rnw: 1,
      class: 2,
      addressLo: 0x76543210,
      addressHi: 0xfedcba98,
    });
    expect(hex(words)).toEqual(translation);
  });

  test('F_TRANSLATION by hand, from the fault path', () => {
    const words = new Int32Array(EVENT_WORDS).fill(-1);
    // IOVA page 0xfedcba9876543: bits 43:12 of the address in pageLo, bits 63:44 in pageHi
    writeTranslationFault(words, 0, 0x89abcdef | 0, 0x12345, 0xbeef, 1 | 4 | 8, 0xa9876543 | 0, 0xfedcb);
    expect(hex(words)).toEqual([...translation.slice(0, 4), '76543000', 'fedcba98', '00000000', '00000000']);
  });

  test('a terminated write without a substream', () => {
    const words = new Int32Array(EVENT_WORDS).fill(-1);
    writeTranslationFault(words, 0, 7, -1, -1, 2, 1, 0);
    expect(hex(words)).toEqual([
      '00000010',
      '00000007',
      '00000000',
      '00000200',
      '00001000',
      '00000000',
      '00000000',
      '00000000',
    ]);
    expect(eventStalls(words, 0)).toBe(false);
  });

  test('F_PERMISSION of stage 2 by hand', () => {
    const words = new Int32Array(EVENT_WORDS);
    encodeEvent(words, 0, EVT_F_PERMISSION, {
      streamId: 1,
      s2: 1,
      class: 1,
      ttrnw: 1,
      rnw: 1,
      ipaLo: 0xabcde000,
      ipaHi: 0x00fedcba,
    });
    // S2 is bit 103, CLASS 105:104, TTRnW 108, RnW 99: 0x1000 | 0x100 | 0x80 | 0x8
    expect(hex(words)).toEqual([
      '00000013',
      '00000001',
      '00000000',
      '00001188',
      '00000000',
      '00000000',
      'abcde000',
      '00fedcba',
    ]);
  });

  test('C_BAD_SUBSTREAMID has no SSV bit', () => {
    const words = new Int32Array(EVENT_WORDS).fill(-1);
    writeConfigurationEvent(words, 0, EVT_C_BAD_SUBSTREAMID, 3, 0xfffff << 12);
    expect(hex(words).slice(0, 2)).toEqual(['fffff008', '00000003']);
    expect(decodeEvent(words, 0)).toEqual({
      name: 'C_BAD_SUBSTREAMID',
      values: { id: 8, substreamId: 0xfffff, streamId: 3 },
    });
  });

  test.each(EVENT_KINDS)('$name survives encoding and decoding, and touches no other bit', ({ id, name, fields }) => {
    fc.assert(
      fc.property(valuesOf(fields), (values) => {
        const words = new Int32Array(EVENT_WORDS + 2).fill(-1);
        encodeEvent(words, 1, id, values);
        expect(decodeEvent(words, 1)).toEqual({ name, values: { ...values, id } });
        expect([words[0], words[EVENT_WORDS + 1]]).toEqual([-1, -1]);
      }),
      { numRuns: 50 },
    );
  });

  test('the fault path writes and reads what the table says', () => {
    fc.assert(
      fc.property(
        u32,
        fc.integer({ min: -1, max: 0xfffff }),
        fc.integer({ min: -1, max: 0xffff }),
        fc.integer({ min: 1, max: 15 }),
        u32,
        fc.integer({ min: 0, max: 0xfffff }),
        (streamId, substreamId, stag, perm, pageLo, pageHi) => {
          const words = new Int32Array(EVENT_WORDS).fill(-1);
          writeTranslationFault(words, 0, streamId, substreamId, stag, perm, pageLo | 0, pageHi);
          const write = (perm & 2) !== 0;
          expect(decodeEvent(words, 0).values).toEqual({
            id: EVT_F_TRANSLATION,
            ssv: substreamId < 0 ? 0 : 1,
            substreamId: Math.max(0, substreamId),
            streamId,
            stag: Math.max(0, stag),
            stall: stag < 0 ? 0 : 1,
            pnu: (perm & 8) >> 3,
            ind: write ? 0 : (perm & 4) >> 2,
            rnw: write ? 0 : 1,
            s2: 0,
            class: 2,
            addressLo: (pageLo << 12) >>> 0,
            addressHi: pageHi * 2 ** 12 + (pageLo >>> 20),
            ipaLo: 0,
            ipaHi: 0,
          });
          expect(eventStreamId(words, 0)).toBe(streamId);
          expect(eventStalls(words, 0)).toBe(stag >= 0);
          expect(eventStag(words, 0)).toBe(Math.max(0, stag));
          expect(substreamBits(substreamId) >>> 12).toBe(Math.max(0, substreamId));
        },
      ),
    );
  });

  test('access bits come back as the permission Linux derives', () => {
    for (let perm = 1; perm < 16; perm++) {
      const write = (perm & 2) !== 0;
      expect(eventPerm(accessBits(perm))).toBe((write ? 2 : 1) | (write ? 0 : perm & 4) | (perm & 8));
    }
  });

  test('bad values are refused by name', () => {
    const words = new Int32Array(EVENT_WORDS);
    expect(() => encodeEvent(words, 0, 0x99, {})).toThrow('encodeEvent: id = 153: is no event of SMMUv3 (ENOENT)');
    expect(() => encodeEvent(words, 0, EVT_F_TRANSLATION, { stag: 65536 })).toThrow(
      'encodeEvent: stag = 65536: does not fit bits 79:64 (EINVAL)',
    );
    expect(() => encodeEvent(words, 0, EVT_F_TRANSLATION, { ipaLo: 0x800 })).toThrow('ipaLo = 2048');
    expect(() => encodeEvent(words, 0, 0x02, { stag: 1 })).toThrow('stag = 1: the record has no such field (ENOENT)');
    expect(decodeEvent(Int32Array.of(0x99, 1, 2, 3, 4, 5, 6, 7), 0)).toEqual({ name: '', values: { id: 0x99 } });
  });
});

describe('commands', () => {
  const command = (op: number, values: FieldValues): string[] => {
    const words = new Int32Array(COMMAND_WORDS).fill(-1);
    encodeCommand(words, 0, op, values);
    return hex(words);
  };

  test('by hand', () => {
    expect(command(CMD_RESUME, { resp: 1, streamId: 0x89abcdef, stag: 0xbeef })).toEqual([
      '00001044',
      '89abcdef',
      '0000beef',
      '00000000',
    ]);
    expect(command(CMD_RESUME, { resp: 2, streamId: 1, stag: 1 })[0]).toBe('00002044');
    expect(command(CMD_STALL_TERM, { streamId: 0x42 })).toEqual(['00000045', '00000042', '00000000', '00000000']);
    expect(command(CMD_PRI_RESP, { ssv: 1, substreamId: 0x12345, streamId: 9, prgIndex: 0x1ff, resp: 2 })).toEqual([
      '12345841',
      '00000009',
      '000021ff',
      '00000000',
    ]);
    expect(
      command(CMD_SYNC, {
        cs: 1,
        msh: 3,
        msiAttr: 15,
        msiData: 0xcafe0001,
        msiAddressLo: 0xfffffffc,
        msiAddressHi: 0xfffff,
      }),
    ).toEqual(['0fc01046', 'cafe0001', 'fffffffc', '000fffff']);
    expect(
      command(CMD_TLBI_NH_VA, {
        num: 31,
        scale: 31,
        vmid: 0x1234,
        asid: 0xabcd,
        leaf: 1,
        ttl: 3,
        tg: 1,
        addressLo: 0x54321000,
        addressHi: 0xfedcba98,
      }),
    ).toEqual(['01f1f012', 'abcd1234', '54321701', 'fedcba98']);
    expect(command(CMD_CFGI_STE_RANGE, { range: 31 })).toEqual(['00000004', '00000000', '0000001f', '00000000']);
  });

  test.each(COMMAND_KINDS)('$name survives encoding and decoding, and touches no other bit', ({ op, name, fields }) => {
    fc.assert(
      fc.property(valuesOf(fields), (values) => {
        const words = new Int32Array(COMMAND_WORDS + 2).fill(-1);
        encodeCommand(words, 1, op, values);
        expect(decodeCommand(words, 1)).toEqual({ name, values: { ...values, op } });
        expect([words[0], words[COMMAND_WORDS + 1]]).toEqual([-1, -1]);
      }),
      { numRuns: 50 },
    );
  });

  test('the fault path writes and reads what the table says', () => {
    fc.assert(
      fc.property(u32, fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 3 }), (streamId, stag, resp) => {
        const words = new Int32Array(COMMAND_WORDS).fill(-1);
        writeResume(words, 0, streamId, stag, resp);
        expect(decodeCommand(words, 0)).toEqual({ name: 'RESUME', values: { op: CMD_RESUME, resp, streamId, stag } });
        expect([commandStreamId(words, 0), resumeStag(words, 0), resumeResp(words, 0)]).toEqual([streamId, stag, resp]);
      }),
    );
  });

  test('a SYNC names its word by byte address', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), u32, (wordAt, data) => {
        const words = new Int32Array(COMMAND_WORDS).fill(-1);
        writeSyncMsi(words, 0, wordAt, data);
        const { values } = decodeCommand(words, 0);
        expect(BigInt(values.msiAddressHi) * 2n ** 32n + BigInt(values.msiAddressLo)).toBe(BigInt(wordAt) * 4n);
        expect(values.msiData).toBe(data);
        expect(syncSignal(words, 0)).toBe(1);
        expect(syncWordAt(words, 0)).toBe(wordAt);
      }),
    );
    const words = new Int32Array(COMMAND_WORDS).fill(-1);
    writeSync(words, 0);
    expect(hex(words)).toEqual(['00000046', '00000000', '00000000', '00000000']);
  });

  test('no two kinds share a number, and no two fields a bit', () => {
    expect(new Set(EVENT_KINDS.map((k) => k.id)).size).toBe(EVENT_KINDS.length);
    expect(new Set(COMMAND_KINDS.map((k) => k.op)).size).toBe(COMMAND_KINDS.length);
    for (const { name, fields } of [...EVENT_KINDS, ...COMMAND_KINDS]) {
      const bits = fields.flatMap((f) => Array.from({ length: f.hi - f.lo + 1 }, (_, i) => f.lo + i));
      expect(new Set(bits).size, `${name}\n${describeFields(fields)}`).toBe(bits.length);
    }
  });

  test('an unknown opcode is refused on the way in and has no name on the way out', () => {
    expect(() => encodeCommand(new Int32Array(4), 0, 0xff, {})).toThrow('op = 255');
    expect(decodeCommand(Int32Array.of(0xff, 0, 0, 0), 0)).toEqual({ name: '', values: { op: 0xff } });
  });
});
