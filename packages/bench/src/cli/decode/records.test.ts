import { expect, test } from 'vitest';
import { decode, decodeJson } from './host.test-help.ts';

// Words put together by hand from the specifications' tables: bit positions in comments, low to high.
const RECORDS: readonly [family: string, queue: string, line: string, kind: string, fields: Record<string, unknown>][] =
  [
    [
      'smmu-v3',
      'evtq',
      '0x0000000100007810 0x0000020880000003 0x12345678 0x0', // SSV 11, SubstreamID 31:12 | STAG, Stall 31, RnW 35, CLASS 41:40
      'F_TRANSLATION',
      {
        ...{
          'event number': 0x10,
          SSV: 1,
          SubstreamID: 7,
          StreamID: 1,
          STAG: 3,
          Stall: 1,
          PnU: 0,
          InD: 0,
          RnW: 1,
          S2: 0,
        },
        ...{ CLASS: 2, 'input address': '0x12345678', IPA: '0x0' },
      },
    ],
    [
      'smmu-v3',
      'evtq',
      'ffffffff00000013,0000118000000000,ffffffffffffffff,000ffffffffff000', // S2 39, CLASS 40, TTRnW 44
      'F_PERMISSION',
      {
        ...{
          'event number': 0x13,
          SSV: 0,
          SubstreamID: 0,
          StreamID: 0xffffffff,
          STAG: 0,
          Stall: 0,
          PnU: 0,
          InD: 0,
          RnW: 0,
        },
        ...{ S2: 1, CLASS: 1, TTRnW: 1, 'input address': '0xffffffffffffffff', IPA: '0xffffffffff000' },
      },
    ],
    [
      'smmu-v3',
      'evtq',
      '0000000200003008 0 0 0',
      'C_BAD_SUBSTREAMID',
      { 'event number': 8, SubstreamID: 3, StreamID: 2 },
    ],
    ['smmu-v3', 'cmdq', '0000000500001044 9', 'RESUME', { Op: 0x44, Resp: 1, SID: 5, STAG: 9 }],
    [
      'smmu-v3',
      'cmdq',
      '0000001000002840 0000700000000034', // SSV 11, SSID 31:12, SID | Size 5:0, Addr
      'ATC_INV',
      { Op: 0x40, Global: 0, SSV: 1, SSID: 2, SID: 16, Size: 52, Addr: '0x700000000000' },
    ],
    [
      'smmu-v3',
      'cmdq',
      '0000000300000041 2101',
      'PRI_RESP',
      { Op: 0x41, SSV: 0, SSID: 0, SID: 3, PRGI: 0x101, Resp: 2 },
    ],
    [
      'smmu-v3',
      'cmdq',
      'deadbeef0fc02046 ffffffff00004', // CS 13:12, MSH 23:22, MSIAttr 27:24, MSIData | MSIAddr 51:2
      'SYNC',
      { Op: 0x46, CS: 2, MSH: 3, MSIAttr: 15, MSIData: 0xdeadbeef, MSIAddr: '0xffffffff00004' },
    ],
    [
      'smmu-v3',
      'priq',
      'd000000500000020 00007f0000000101', // R 60, Last 62, SSV 63 | PRG index 8:0
      'PAGE_REQUEST',
      {
        ...{ StreamID: 32, SubstreamID: 5, Priv: 0, X: 0, R: 1, W: 0, Last: 1, SSV: 1, 'PRG index': 0x101 },
        'page address': '0x7f0000000000',
      },
    ],
    [
      'vtd',
      'prq',
      '0021234500100101 deadbffe 0 0', // Type, PASID present 8, RID 31:16, PASID 51:32, PRIV 53 | WR 1, LPIG 2, PRGI 11:3
      'PAGE_REQUEST',
      {
        ...{
          Type: 1,
          'PASID present': 1,
          RID: 0x10,
          PASID: 0x12345,
          EXE: 0,
          PRIV: 1,
          RD: 0,
          WR: 1,
          LPIG: 1,
          PRGI: 0x1ff,
        },
        address: '0xdeadb000',
      },
    ],
    [
      'vtd',
      'iq',
      '000000050010f019 18 0 0', // type 3:0, PASID present 4, code 15:12, RID 31:16, PASID 51:32 | PRGI 11:3
      'PAGE_GROUP_RESPONSE',
      { Type: 9, 'PASID-present': 1, code: 15, RID: 16, PASID: 5, LPIG: 0, PRGI: 3 },
    ],
    [
      'vtd',
      'iq',
      '00000007000000e5 1000', // a queue of 128-bit descriptors: SW 5, FN 6, PD 7, status data 63:32
      'WAIT',
      { Type: 5, IF: 0, SW: 1, FN: 1, PD: 1, 'status data': 7, 'status address': '0x1000' },
    ],
    [
      'vtd',
      'iq',
      '00100009030021f8 7ffffffffffff800 0 0', // depth 8:4, PFSID[3:0] 15:12, SID, PASID, PFSID[15:4] 63:52 | S 11
      'PASID_DEVICE_TLB',
      { Type: 8, depth: 31, PFSID: 0x12, SID: 0x300, PASID: 9, global: 0, S: 1, addr: '0x7ffffffffffff000' },
    ],
    [
      'vtd',
      'fault',
      '1000 8000055990000010', // SID, T2 28, PP 31, FR 39:32, PASID 59:40, F 63
      'FAULT',
      {
        ...{ address: '0x1000', SID: 16, T2: 1, PRIV: 0, EXE: 0, PP: 1, FR: 0x59, PASID: 5, AT: 0, T1: 0, F: 1 },
      },
    ],
    [
      'amd',
      'ppr',
      '114407ff23450300 00007f0000001000', // PASID 31:16 and 45:42, PRG index 40:32, Last 41, READ 50, U 54, GN 56, type 63:60
      'PAGE_SERVICE_REQUEST',
      {
        ...{ 'device ID': 0x300, PASID: 0x12345, 'PRG index': 0x1ff, Last: 1, EXEC: 0, READ: 1, WRITE: 0, U: 1 },
        ...{ 'reserved-nonzero': 0, GN: 1, type: 1, address: '0x7f0000001000' },
      },
    ],
    [
      'amd',
      'cmd',
      '7001234500000300 0000f1ff00000004', // PASID 51:32 | GN 2, tag 40:32, status 47:44
      'COMPLETE_PPR_REQUEST',
      { device: 0x300, PASID: 0x12345, type: 7, GN: 1, tag: 0x1ff, status: 15 },
    ],
    [
      'amd',
      'cmd',
      '1000000100001001 0000000100000002',
      'COMPLETION_WAIT',
      { store: 1, interrupt: 0, flush: 0, address: '0x100001000', type: 1, data: '0x100000002' },
    ],
    [
      'amd',
      'cmd',
      '4045030020230300 0000000000001004', // PASID[15:8] 23:16, depth 31:24, PASID[7:0] 55:48 | GN 2
      'INVALIDATE_IOTLB_PAGES',
      {
        device: 0x300,
        PASID: 0x2345,
        'queue depth': 32,
        'queue ID': 0x300,
        type: 4,
        S: 0,
        GN: 1,
        kind: 0,
        addr: '0x1000',
      },
    ],
    [
      'amd',
      'event',
      '2030000700000300 00000000deadbeef', // domain 47:32, PR 52, RW 53
      'IO_PAGE_FAULT',
      {
        ...{
          'device ID': 0x300,
          'PASID[19:16]': 0,
          'domain or PASID[15:0]': 7,
          GN: 0,
          NX: 0,
          US: 0,
          I: 0,
          PR: 1,
          RW: 1,
        },
        ...{ PE: 0, RZ: 0, TR: 0, type: 2, address: '0xdeadbeef' },
      },
    ],
    [
      'amd',
      'event',
      '9100000000000300 0',
      'INVALID_PPR_REQUEST',
      {
        ...{ 'device ID': 0x300, PASID: 0, 'PRG index': 0, Last: 0, EXEC: 0, READ: 0, WRITE: 0, U: 0, GN: 1, type: 9 },
        ...{ 'reserved-nonzero': 0, address: '0x0' },
      },
    ],
  ];

test.each(RECORDS)('%s %s: %s', async (family, queue, line, kind, fields) => {
  expect(await decodeJson(family, queue, `${line}\n`)).toEqual([{ kind, fields, errors: [] }]);
  const { code, out, err } = await decode(['--family', family, '--queue', queue], line);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain(`line 1: ${kind}\n`);
  for (const name of Object.keys(fields)) expect(out).toContain(`\n  ${name} `);
});

test('a stop marker is told from a page request', async () => {
  expect(await decodeJson('smmu-v3', 'priq', 'c000000500000020 0')).toMatchObject([
    { kind: 'STOP_MARKER', errors: [] },
  ]);
  expect(await decodeJson('smmu-v3', 'priq', '4000000000000020 0')).toMatchObject([
    { kind: 'PAGE_REQUEST', errors: [] },
  ]);
  expect(await decodeJson('vtd', 'prq', '101 4 0 0')).toMatchObject([{ kind: 'STOP_MARKER', errors: [] }]);
});

test.each([
  ['smmu-v3', 'evtq', '99 0 0 0', { 'event number': 0x99 }, 'id = 153: is no event of SMMUv3'],
  ['smmu-v3', 'cmdq', 'ff 0', { Op: 0xff }, 'op = 255: is no command of SMMUv3'],
  ['vtd', 'prq', '2 0 0 0', { Type: 2 }, 'type 2 is no page request queue descriptor'],
  ['vtd', 'iq', '20f 0', { Type: 0x1f }, 'type 31 is no invalidation descriptor'],
  ['amd', 'ppr', '0 0', { type: 0 }, 'type 0 is unknown or reserved'],
  ['amd', 'cmd', 'f000000000000000 0', { type: 15 }, 'type 15 is unknown or reserved'],
  ['amd', 'event', 'c000000000000000 0', { type: 12 }, 'type 12 is unknown or reserved'],
])('%s %s: an unknown encoding: %s', async (family, queue, line, fields, error) => {
  expect(await decodeJson(family, queue, line)).toEqual([{ kind: '', fields, errors: [error] }]);
  const { code, out } = await decode(['--family', family, '--queue', queue], line);
  expect(code).toBe(0); // a record, if no good one
  expect(out).toMatch(/^line 1: unknown\n/);
  expect(out).toContain(`  error: ${error}\n`);
});

test.each([
  ['smmu-v3', 'evtq', '10 30000000000 0 0', 'F_TRANSLATION', 'class = 3: is reserved'],
  ['smmu-v3', 'cmdq', '3046 0', 'SYNC', 'cs = 3: is reserved'],
  ['smmu-v3', 'priq', '0010000000000000 0', 'PAGE_REQUEST', 'sets reserved bits 57:52'],
  ['vtd', 'prq', '201 0 0 8000000000000000', 'PAGE_REQUEST', 'w3: bit 63 is reserved and set'],
  ['vtd', 'iq', '2009 0 0 0', 'PAGE_GROUP_RESPONSE', 'response code 2 is reserved'],
  ['vtd', 'iq', '9 0', 'PAGE_GROUP_RESPONSE', 'a page group response needs a queue of 256-bit descriptors'],
  ['vtd', 'fault', '0 0', 'FAULT', 'F is clear: no fault is recorded here'],
  ['amd', 'cmd', '8000000000000001 0', 'INVALIDATE_IOMMU_ALL', 'is reserved and set'],
])('%s %s: a reserved encoding: %s', async (family, queue, line, kind, error) => {
  const [record] = await decodeJson(family, queue, line);
  expect(record.kind).toBe(kind);
  expect(record.errors.join('\n')).toContain(error);
  expect(Object.keys(record.fields).length).toBeGreaterThan(0);
});

test('what a person reads', async () => {
  const { out } = await decode(['--family', 'vtd', '--queue', 'prq'], '# dump\n0x0000000500080101 0x7f0000001ff5\n');
  expect(out).toBe(
    [
      'line 2: PAGE_REQUEST',
      '  Type           w0 7:0    1               page request',
      '  PASID present  w0 8      1               PASID is valid',
      '  RID            w0 31:16  8               00:01.0',
      '  PASID          w0 51:32  5',
      '  EXE            w0 52     0',
      '  PRIV           w0 53     0',
      '  RD             w1 0      1               read',
      '  WR             w1 1      0',
      '  LPIG           w1 2      1               last page in group',
      '  PRGI           w1 11:3   0x1fe',
      '  address        w1 63:12  0x7f0000001000',
      '',
      '',
    ].join('\n'),
  );
});

test('a field in two parts names both', async () => {
  const { out } = await decode(['--family', 'amd', '--queue', 'ppr'], '114407ff23450300 0');
  expect(out).toMatch(/\n {2}PASID +w0 45:42, w0 31:16 +0x12345\n/);
});
