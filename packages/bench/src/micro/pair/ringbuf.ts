import { RingBuffer } from 'ringbuf.js';
import { type Bench, LOOKS, type PairCase, standBy } from './case.ts';
import { recordsSum } from './records.ts';
import { SPSC_IN_RUNS, SPSC_SINGLE } from './spsc.ts';

const CAPACITY = 4096;
const WIDTH = 8;

/** ringbuf.js wants a buffer of its own: the first side makes it and hands it over, each round. */
async function exchange({ port }: Bench, first: boolean): Promise<RingBuffer> {
  if (first) {
    const buffer = RingBuffer.getStorageForCapacity(CAPACITY * WIDTH, Int32Array);
    port.postMessage(buffer);
    return new RingBuffer(buffer, Int32Array);
  }
  const buffer = await new Promise<SharedArrayBuffer>((resolve) => port.once('message', resolve));
  return new RingBuffer(buffer, Int32Array);
}

function fill(ring: RingBuffer, { words, items }: Bench, batch: number): number {
  const records = new Int32Array(batch * WIDTH);
  for (let i = 0, looks = 0; i < items; ) {
    const count = Math.min(batch, items - i);
    for (let at = 0; at < count * WIDTH; at += WIDTH, i++) {
      records[at] = i;
      records[at + 1] = i + 1;
      records[at + 2] = i + 2;
      records[at + 3] = i + 3;
      records[at + 4] = i + 4;
      records[at + 5] = i + 5;
      records[at + 6] = i + 6;
      records[at + 7] = i + 7;
    }
    while (ring.available_write() < count * WIDTH) if (++looks > LOOKS) looks = standBy(words);
    ring.push(records, count * WIDTH);
  }
  return 0;
}

function empty(ring: RingBuffer, { words, items }: Bench, batch: number): number {
  const records = new Int32Array(batch * WIDTH);
  let sum = 0;
  for (let i = 0, looks = 0; i < items; ) {
    const got = ring.pop(records, batch * WIDTH);
    if (got === 0) {
      if (++looks > LOOKS) looks = standBy(words);
      continue;
    }
    looks = 0;
    for (let at = 0; at < got; at += WIDTH)
      sum =
        (sum +
          records[at] +
          records[at + 1] +
          records[at + 2] +
          records[at + 3] +
          records[at + 4] +
          records[at + 5] +
          records[at + 6] +
          records[at + 7]) |
        0;
    i += got / WIDTH;
  }
  return sum;
}

function ringbuf(name: string, peerOf: string, batch: number): PairCase {
  return {
    name,
    peerOf,
    kind: 'throughput',
    words: 0,
    sides: [
      async (bench) => fill(await exchange(bench, true), bench, batch),
      async (bench) => empty(await exchange(bench, false), bench, batch),
    ],
    check: (items) => recordsSum(items, WIDTH),
  };
}

export const ringbufCases: readonly PairCase[] = [
  ringbuf('ringbuf.js, 256 a push', SPSC_IN_RUNS, 256),
  ringbuf('ringbuf.js, 1 a push', SPSC_SINGLE, 1),
];
