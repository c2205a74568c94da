import { expect, test } from 'vitest';
import { RECORDS } from './index.ts';
import { RecordQueue } from './loops.ts';
import { measureRecords } from './measure.ts';
import { sumOfFields } from './record.ts';
import { renderRecords } from './tables.ts';

test('each record has its figures in both codecs, and words take nothing from the heap', {
  timeout: 120_000,
}, async () => {
  const some = RECORDS.filter(({ name }) => name.includes('PRI queue') || name.includes('page group response'));
  const rows = await measureRecords({ timeMs: 1, warmupMs: 1, items: 100_000 }, some);
  expect(rows).toHaveLength(8);
  for (const { median, min, codec, bytesPerRecord } of rows) {
    expect(min).toBeGreaterThan(0);
    expect(Number.isFinite(median)).toBe(true);
    if (codec === 'words')
      expect(bytesPerRecord).toBeLessThan(4); // compiling allocates too, and may fall into the count
    else expect(bytesPerRecord).toBeGreaterThan(32);
  }
  expect(renderRecords(rows)).toContain('SMMUv3 PRI queue: page request');
});

test.each(RECORDS)('$family $name: what the loop encodes it decodes', (record) => {
  const queue = new RecordQueue(record);
  const all = 64;
  let sum = 0;
  for (let i = 0; i < all; i++) sum = (sum + sumOfFields(record.encodeObject(new BigUint64Array(4), 0, i))) | 0;
  queue.encode(all);
  queue.decode(all);
  expect(queue.sum).toBe(sum);
  queue.encodeObjects(all);
  queue.decode(all);
  expect(queue.sum).toBe(sum);
  queue.decodeObjects(all);
  expect(queue.kept).toEqual(record.decodeObject(fullWide(record), 0));
});

/** A record of the number that the loops end with. */
function fullWide(record: (typeof RECORDS)[number]): BigUint64Array {
  const wide = new BigUint64Array(4);
  record.encodeObject(wide, 0, 63);
  return wide;
}
