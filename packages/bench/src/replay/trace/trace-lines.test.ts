import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeviceNames } from './device-names.ts';
import { formatEvent } from './event-line.ts';
import { formatHeader, formatJson } from './json-line.ts';
import {
  LINE_BLANK,
  LINE_COMMENT,
  LINE_LOST,
  LINE_OTHER,
  LINE_RECORD,
  LINE_UNREADABLE,
  LineParser,
} from './line-parser.ts';
import { GROUP_INDICES, MAX_PAGE_NUMBER, MAX_PASID, MAX_RID, TraceRecord } from './trace-record.ts';

function parse(parser: LineParser, line: string): number {
  const bytes = Buffer.from(`before\n${line}\nafter`, 'latin1');
  return parser.parse(bytes, 7, 7 + Buffer.byteLength(line, 'latin1'));
}

const fields = ({ record, names }: LineParser) => ({ ...record, device: names.name(record.device) });

// The event's text is that of the commit that added it (linux-iommu, 20 May 2021, 20210520031531.712333-8-baolu.lu@linux.intel.com).
// Columns before it: ftrace's of today and of before 2.6.38 (Linux Documentation/trace/ftrace.rst and kernel/trace/trace.c), with and without
// the thread group; those of perf script (tools/perf/builtin-script.c), with the event's subsystem; none.
const BODY = 'dmar0/0000:00:0a.0 seq# 2: rid=0x50 addr=0x559ef6f9c rw--l pasid=0x2 index=0x1';
const UNTIMED = Number.NaN;
const SAMPLES: readonly (readonly [string, string, number])[] = [
  ['the mailing list, quoted', `| prq_report: ${BODY}`, UNTIMED],
  ['the event alone', `prq_report: ${BODY}`, UNTIMED],
  ['its text alone', BODY, UNTIMED],
  ['ftrace', ` irq/26-dmar0-pr-187     [003] d..1.   123.456789: prq_report: ${BODY}`, 123_456_789_000],
  [
    'ftrace with the thread group',
    `irq/26-dmar0-pr-187  (    187) [003] d..1. 7.000001: prq_report: ${BODY}`,
    7_000_001_000,
  ],
  ['ftrace without flags', `     irq/26-187   [003]   123.456789: prq_report: ${BODY}`, 123_456_789_000],
  ['ftrace with a counter for a clock', `  <...>-187   [003] d..1. 123456789: prq_report: ${BODY}`, 123_456_789],
  ['perf script', `irq/26-dmar0-pr   187 [003]   123.456789: intel_iommu:prq_report: ${BODY}`, 123_456_789_000],
  ['perf script --ns', `irq/26 dmar0   187 [003] 123.456789012: intel_iommu:prq_report: ${BODY}`, 123_456_789_012],
  ['private data, end of line of another system', `prq_report: ${BODY} private=0xffffffffffffffff/0x0\r`, UNTIMED],
];

test.each(SAMPLES)('reads %s', (_, line, timeNs) => {
  const parser = new LineParser();
  expect([parse(parser, line), parser.why]).toEqual([LINE_RECORD, '']);
  expect(fields(parser)).toEqual({
    ...{ timeNs, device: 'dmar0/0000:00:0a.0', sequence: 2, rid: 0x50, pasid: 2, index: 1 },
    ...{ page: 0x559ef6f9c, perm: 3, isLast: true },
  });
});

test.each([
  ['', LINE_BLANK],
  ['  \t\r', LINE_BLANK],
  ['# tracer: nop', LINE_COMMENT],
  ['#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION', LINE_COMMENT],
  ['##### CPU 2 buffer started ####', LINE_COMMENT],
  [formatHeader({ iommu: 'vtd' }), LINE_COMMENT],
  ['CPU:1 [LOST 3 EVENTS]', LINE_LOST],
  ['CPU:1 [LOST EVENTS]', LINE_LOST],
  ['{"lost":3}', LINE_LOST],
  ['bash-1977  [000] .... 17284.993652: sys_close <-system_call_fastpath', LINE_OTHER],
  ['swapper     0 [001]  5.000000:       sched:sched_switch: prev_comm=swapper/1 prev_pid=0', LINE_OTHER],
  ['\tffffffff81a0e2f4 __schedule+0x2a4 ([kernel.kallsyms])', LINE_OTHER],
])('knows %j for what it is', (line, kind) => {
  const parser = new LineParser();
  expect(parse(parser, line)).toBe(kind);
  if (kind === LINE_LOST) expect(parser.lost).toBe(line.includes('3') ? 3 : 0);
});

const ours = (over: string): string =>
  `{"t":1,"device":"a","seq":1,"rid":1,"pasid":1,"index":1,"page":1,${over}"flags":"rw--l"}`;
test.each([
  ['garbage', 'no event'],
  [`x 12x.4: prq_report: ${BODY}`, 'timestamp'],
  [`1.1234567890: prq_report: ${BODY}`, 'timestamp'],
  ['task-1 [000] 1.5: prq_report: something else', 'no event'],
  [`other_event: ${BODY}`, 'event name'],
  [BODY.replace('dmar0/', ''), 'device'],
  [BODY.replace('# 2', '# two'), 'seq#'],
  [BODY.replace('0x50', '0x10000'), 'rid'],
  [BODY.replace('0x559ef6f9c', '0x10000000000000'), 'addr'],
  [BODY.replace('0x559ef6f9c', '0x'), 'addr'],
  [BODY.replace('rw--l', 'wr--l'), 'flags'],
  [BODY.replace('rw--l', 'rw--'), 'flags'],
  [BODY.replace('pasid=0x2', 'pasid=0x100000'), 'pasid'],
  [BODY.replace('index=0x1', 'index=0x200'), 'index'],
  [`${BODY} private=0x1`, 'private'],
  [`${BODY}1 2`, 'text after index'],
  [BODY.slice(0, -5), 'index'],
  ['{', 'key'],
  ['{"page":1}', 'missing key'],
  [ours('"page":2,'), 'a key twice'],
  [ours('"what":2,'), 'key'],
  [ours('').replace('"page":1', '"page":4503599627370496'), 'a number that is none, or too large'],
  [ours('').replace('"page":1', '"page":-1'), 'a number that is none, or too large'],
  [ours('').replace('"page":1', '"page":1.5'), 'no end'],
  [ours('').replace('"a"', '"\\u0061"'), 'device'],
  [ours('').replace('}', ''), 'no end'],
  [`${ours('')}}`, 'text after the object'],
  [ours('"lost":1,'), 'missing key'],
  ['{"faultline":"trace","version":2}', 'key'],
])('refuses %j', (line, why) => {
  const parser = new LineParser();
  expect([parse(parser, line), parser.why]).toEqual([LINE_UNREADABLE, why]);
});

describe('what is written reads as it was', () => {
  const numbered = fc.record({
    timeNs: fc.option(fc.nat({ max: Number.MAX_SAFE_INTEGER }), { nil: UNTIMED }),
    sequence: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    rid: fc.nat({ max: MAX_RID }),
    pasid: fc.nat({ max: MAX_PASID }),
    index: fc.nat({ max: GROUP_INDICES - 1 }),
    page: fc.nat({ max: MAX_PAGE_NUMBER }),
    perm: fc.nat({ max: 15 }),
    isLast: fc.boolean(),
  });
  const device = fc.stringMatching(/^[a-z0-9.:]{1,20}\/[a-zA-Z0-9.:_-]{1,40}$/);
  const parser = new LineParser();

  test('as lines of our own, which are JSON', () => {
    fc.assert(
      fc.property(numbered, device, (values, name) => {
        const line = formatJson(Object.assign(new TraceRecord(), values), name);
        expect(parse(parser, line)).toBe(LINE_RECORD);
        expect(fields(parser)).toEqual({ ...values, device: name });
        expect(JSON.parse(line)).toMatchObject({ device: name, page: values.page, pasid: values.pasid });
        const spaced = JSON.stringify(JSON.parse(line), null, 1).replaceAll('\n', ' ');
        expect(parse(parser, spaced)).toBe(LINE_RECORD);
        expect(fields(parser)).toEqual({ ...values, device: name });
      }),
    );
  });

  test("as the kernel's event", () => {
    fc.assert(
      fc.property(numbered, device, fc.nat({ max: 999_999 }), (values, name, micros) => {
        const event = formatEvent(Object.assign(new TraceRecord(), values), name);
        const time = `17.${String(micros).padStart(6, '0')}`;
        expect(parse(parser, `task-1 [000] d..1. ${time}: ${event}`)).toBe(LINE_RECORD);
        expect(fields(parser)).toEqual({ ...values, timeNs: 17e9 + micros * 1000, device: name });
      }),
    );
  });
});

test('any bytes are judged, and none throw', () => {
  const parser = new LineParser();
  const pieces = [
    'seq# ',
    'prq_report: ',
    'CPU:',
    '[LOST ',
    '{"',
    'rid=0x',
    '\0',
    ' ',
    ':',
    '1.5: ',
    'dmar0/a ',
    '9'.repeat(40),
  ];
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 6 }))), (parts) => {
      expect([LINE_UNREADABLE, LINE_OTHER, LINE_LOST, LINE_COMMENT, LINE_BLANK]).toContain(
        parse(parser, parts.join('')),
      );
    }),
    { numRuns: 500 },
  );
});

test('names beyond what a machine has are refused', () => {
  const names = new DeviceNames();
  const number = (name: string): number => names.number(Buffer.from(name), 0, name.length);
  for (let i = 0; i < 4096; i++) expect(number(`dmar0/${i}`)).toBe(i);
  expect([number('dmar0/4096'), number('dmar0/17'), number('x'.repeat(129))]).toEqual([-1, 17, -1]);
});
