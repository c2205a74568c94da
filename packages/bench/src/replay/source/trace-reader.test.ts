import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openTrace } from './open-trace.ts';
import { TraceReader } from './trace-reader.ts';

const line = (sequence: number, index: number, flags: string, device = 'a'): string =>
  `irq-1 [000] d..1. ${sequence}.5: prq_report: dmar0/${device} seq# ${sequence}: rid=0x8 addr=0x${(0x559ef6f97 + sequence).toString(16)} ${flags} pasid=0x2 index=0x${index.toString(16)}\n`;

/** Reads a text in chunks of so many bytes. */
function read(text: string | Uint8Array, chunkBytes = Infinity): { reader: TraceReader; seen: string[] } {
  const reader = new TraceReader();
  const seen: string[] = [];
  const take = (record: ReturnType<TraceReader['next']>): void => {
    if (record !== undefined) seen.push(`${record.sequence}:${record.index}${record.isLast ? 'l' : '-'}`);
  };
  const bytes = Buffer.from(text as string, 'latin1');
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    reader.push(bytes.subarray(at, Math.min(bytes.length, at + chunkBytes)));
    for (let record = reader.next(); record !== undefined; record = reader.next()) take(record);
  }
  take(reader.finish());
  return { reader, seen };
}

const MIXED = [
  '# tracer: nop\n',
  line(1, 1, 'r----'),
  'garbage \x1b[31m\0\n',
  line(2, 2, 'rw---'),
  'CPU:1 [LOST 5 EVENTS]\n',
  line(4, 1, 'rw--l'),
  line(3, 1, 'rw---'),
  '\n',
  'bash-1 [000] .... 5.000000: sys_close <-system_call_fastpath\n',
  line(6, 2, 'rw--l', 'b'),
  line(7, 7, 'rw--l').slice(0, -1),
].join('');

test('every line is counted as what it is, wherever the chunks end', () => {
  for (const chunkBytes of [1, 2, 3, 7, 64, 100, 1000, Number.POSITIVE_INFINITY]) {
    const { reader, seen } = read(MIXED, chunkBytes);
    expect(seen).toEqual(['1:1-', '2:2-', '4:1l', '3:1-', '6:2l', '7:7l']);
    expect(reader.counts).toEqual({
      ...{ lines: 11, records: 6, unreadable: 1, other: 1, comments: 1, blank: 1, lostLines: 1, lost: 5 },
      ...{ groups: 3, partial: 2, backwards: 1, untimed: 0 }, // index 1 anew after its last; index 2 of another device
    });
    expect(reader.unreadable).toEqual([{ line: 3, why: 'no event', text: 'garbage \\x1b[31m\\x00' }]);
  }
});

test('ten megabytes without a newline, zeroes and endless numbers are lines that cannot be read', () => {
  const long = Buffer.alloc(10 << 20, 0);
  const { reader, seen } = read(
    Buffer.concat([
      ...[Buffer.from(line(1, 1, 'rw--l')), long, Buffer.from('\n'), Buffer.from(line(2, 1, 'rw--l'))],
      ...[Buffer.from(`seq# ${'9'.repeat(5000)}\n`), Buffer.from(`seq# ${'9'.repeat(4000)}\n`)],
    ]),
    1 << 16,
  );
  expect(seen).toEqual(['1:1l', '2:1l']);
  expect(reader.counts).toMatchObject({ lines: 5, records: 2, unreadable: 3 });
  expect(reader.unreadable.map(({ line: number, why }) => [number, why])).toEqual([
    [2, 'longer than 4096 bytes'],
    [4, 'longer than 4096 bytes'],
    [5, 'seq#'],
  ]);
  expect(Math.max(...reader.unreadable.map(({ text }) => text.length))).toBeLessThanOrEqual(640);
});

test('only the first unreadable lines are kept, all are counted', () => {
  const { reader } = read('what\n'.repeat(1000));
  expect([reader.counts.unreadable, reader.unreadable.length]).toEqual([1000, 10]);
});

test('memory does not grow with the trace', () => {
  const chunk = Buffer.from(
    Array.from({ length: 8000 }, (_, i) => line(i, i & 511, i % 8 === 7 ? 'rw--l' : 'r----')).join(''),
  );
  const reader = new TraceReader();
  const readAll = (bytes: number): void => {
    for (let left = bytes; left > 0; left -= chunk.length) {
      reader.push(chunk);
      while (reader.next() !== undefined);
    }
  };
  readAll(8e6);
  const before = process.memoryUsage();
  readAll(32e6);
  const after = process.memoryUsage();
  expect(after.rss - before.rss).toBeLessThan(24e6);
  expect(reader.counts.records).toBe(reader.counts.lines);
});

test('a packed file reads as what is in it, and its position is in its own bytes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'replay-'));
  try {
    for (const [name, bytes] of [
      ['plain', Buffer.from(MIXED, 'latin1')],
      ['packed', gzipSync(Buffer.from(MIXED, 'latin1'))],
    ] as const) {
      const file = join(folder, name);
      writeFileSync(file, bytes);
      const trace = await openTrace(file);
      const reader = new TraceReader();
      for await (const chunk of trace.chunks) {
        reader.push(chunk);
        while (reader.next() !== undefined);
      }
      reader.finish();
      expect([reader.counts.records, reader.counts.lines]).toEqual([6, 11]);
      expect([trace.bytes, trace.position()]).toEqual([bytes.length, bytes.length]);
    }
    await expect(openTrace(join(folder, 'none'))).rejects.toThrow('ENOENT');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
