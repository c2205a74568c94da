import { describe, expect, it } from 'vitest';
import { LINE } from '../sync/index.ts';
import { initTraceRing, TRACE_WORDS, TraceReader, TraceWriter, traceRingWords } from './trace-ring.ts';

function open(records: number): { writer: TraceWriter; reader: TraceReader } {
  const words = new Int32Array(new SharedArrayBuffer((LINE + traceRingWords(records)) * 4));
  initTraceRing(words, LINE, records);
  return { writer: new TraceWriter(words, LINE), reader: new TraceReader(words, LINE) };
}

describe('a trace ring', () => {
  it('gives records back whole and in order, across its end, after they are published alone', () => {
    const { writer, reader } = open(8);
    const into = new Int32Array(8 * TRACE_WORDS);
    const seen: number[][] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 5; i++) writer.record(round, i, -i, round * 5 + i);
      expect(reader.take(into)).toBe(0);
      writer.publish();
      expect(reader.take(into)).toBe(5);
      for (let i = 0; i < 5; i++) seen.push([...into.subarray(i * TRACE_WORDS, (i + 1) * TRACE_WORDS)]);
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => [Math.floor(n / 5), n % 5, 0 - (n % 5) || 0, n]));
  });

  it('drops what finds it full, counts it, and goes on', () => {
    const { writer, reader } = open(4);
    const into = new Int32Array(3 * TRACE_WORDS);
    for (let i = 0; i < 7; i++) writer.record(i, 1, 0, i);
    writer.publish();
    expect(reader.lost()).toBe(3);
    expect(reader.take(into)).toBe(3); // as many as there is room for
    writer.record(7, 1, 0, 7);
    writer.publish();
    expect(reader.take(into, 1)).toBe(2); // behind one that is kept
    expect([into[3], into[TRACE_WORDS + 3], into[2 * TRACE_WORDS + 3]]).toEqual([0, 3, 7]);
    expect(reader.lost()).toBe(3);
  });
});
