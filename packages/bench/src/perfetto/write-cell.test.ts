import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LINE } from '@faultline/core/sync';
import { TraceWriter, traceRingWords } from '@faultline/core/trace';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunShape } from './cell-tracks.ts';
import {
  ABORT,
  ANSWER,
  DRAIN,
  DRAINED,
  FILL,
  GOING,
  HANDLE,
  MEMBER,
  PENDING,
  REPORT,
  RESUME,
  STALL,
  STALLED,
} from './events.ts';
import { deviceRing, initTrace, ringBase, type TracePlace } from './place.ts';
import { Recorder } from './recorder.ts';
import { faultsOfTrace, flowsOf } from './testing/check.ts';
import { decodeTrace, definitions, ownDefinitions } from './testing/decode.ts';

const [HARDWARE, INTERRUPT, HANDLER] = [1, 2, 3];
const EPOCH = 5_000_000_000_000;
const SHAPE: RunShape = {
  devices: 2,
  handlers: 1,
  deviceThreads: 3,
  queues: [
    { name: 'command-queue', host: 'hardware' },
    { name: 'event-queue', host: 'interrupt' },
  ],
  deviceOf: (thread) => (thread % 2) + 1,
};

let folder: string;
let file: string;
let recorder: Recorder;
let words: Int32Array<SharedArrayBuffer>;
let place: TracePlace;
let writers: TraceWriter[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'perfetto-'));
  file = join(folder, 'run.perfetto');
  const control = 3 * traceRingWords(2 ** 17);
  words = new Int32Array(new SharedArrayBuffer((LINE + control + 3 * traceRingWords(2 ** 12)) * 4));
  place = {
    rings: LINE,
    controlThreads: 3,
    deviceThreads: 3,
    faults: 0,
    firstPage: 0,
    pages: 0,
    queueEntries: 8,
    sample: 1,
  };
  initTrace(words, place);
  writers = Array.from({ length: 6 }, (_, i) => new TraceWriter(words, ringBase(place, i + 1)));
  recorder = new Recorder(file, { sample: 1 });
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function record(ring: number, ...records: [tick: number, kind: number, object: number, fault: number][]): void {
  for (const each of records) writers[ring - 1].record(...each);
  writers[ring - 1].publish();
}

async function cell(name: string, write: () => void): Promise<void> {
  initTrace(words, place);
  writers = writers.map((_, i) => new TraceWriter(words, ringBase(place, i + 1)));
  recorder.begin(words, place);
  write();
  await recorder.end(SHAPE, { name, epochNs: EPOCH + recorder.recorded().cells * 1e9, notes: { threads: 3 } });
}

/** A group of two faults of thread 1, and one of thread 0 that is terminated unseen. */
function recordGroup(at = 0): void {
  record(
    deviceRing(place, 0),
    [at + 8, STALLED, 0, 0],
    [at + 8, STALL, 0, 1],
    [at + 60, ABORT, 0, 1],
    [at + 61, GOING, 0, 0],
  );
  record(
    deviceRing(place, 1),
    ...([
      [at + 10, STALLED, 1, 0],
      [at + 10, STALL, 1, 2],
      [at + 10, STALL, 1, 5],
    ] as [number, number, number, number][]),
    ...([
      [at + 50, RESUME, 1, 2],
      [at + 52, RESUME, 1, 5],
      [at + 55, GOING, 1, 0],
    ] as [number, number, number, number][]),
  );
  record(HARDWARE, [at + 11, DRAIN, 0, 0], [at + 13, DRAINED, 0, 2]);
  record(
    INTERRUPT,
    ...([
      [at + 15, DRAIN, 1, 0],
      [at + 15, FILL, 1, 2],
      [at + 15, PENDING, 1, 3],
    ] as [number, number, number, number][]),
    ...([
      [at + 16, REPORT, 2, 2],
      [at + 17, REPORT, 2, 5],
      [at + 19, DRAINED, 1, 2],
    ] as [number, number, number, number][]),
  );
  record(HANDLER, [at + 20, HANDLE, 2, 5], [at + 20, MEMBER, 2, 2], [at + 40, ANSWER, 0, 0]);
}

describe('a cell in a file', () => {
  test('follows each fault from its stall to its resume, on the tracks it passes', async () => {
    await cell('a', () => recordGroup());
    recorder.close();
    const trace = decodeTrace(file);
    expect(faultsOfTrace(trace)).toEqual([]);
    const ways = [...flowsOf(trace.events).values()].map((way) =>
      way.map(({ ns, track, name }) => `${(ns - EPOCH) / 100} ${track}: ${name}`),
    );
    expect(ways).toEqual([
      ['8 device 1/device thread 0: stall', '60 device 1/device thread 0: abort'],
      [
        '10 device 2/device thread 1: stall',
        '16 worker: interrupt: report',
        '20 handler 0: member',
        '50 device 2/device thread 1: resume',
      ],
      [
        '10 device 2/device thread 1: stall',
        '17 worker: interrupt: report',
        '20 handler 0: handle device 2',
        '52 device 2/device thread 1: resume',
      ],
    ]);
    expect(recorder.recorded()).toMatchObject({ cells: 1, faults: 3, ended: 3, lost: 0 });
  });

  test('counts what is outstanding, of all devices and of each, and what queues and domains hold', async () => {
    await cell('a', () => recordGroup());
    recorder.close();
    const counters = Map.groupBy(
      decodeTrace(file).events.filter(({ type }) => type === 'COUNTER'),
      ({ track }) => track,
    );
    const values = [...counters].map(([track, events]) => [
      track,
      ...events.map(({ ns, value }) => `${(ns - EPOCH) / 100}: ${value}`),
    ]);
    expect(values).toEqual([
      ['outstanding faults', '8: 1', '10: 3', '50: 2', '52: 1', '60: 0'],
      ['device 1/device 1: outstanding faults', '8: 1', '60: 0'],
      ['device 2/device 2: outstanding faults', '10: 2', '50: 1', '52: 0'],
      ['worker: interrupt/queue: event-queue/event-queue: fill', '15: 2'],
      ['domain 1: pending groups', '15: 3'],
    ]);
  });

  test('keeps cells apart: their flows, their times, what is said of them', async () => {
    await cell('a', () => recordGroup());
    await cell('b', () => recordGroup());
    recorder.close();
    const trace = decodeTrace(file);
    expect(faultsOfTrace(trace)).toEqual([]);
    expect(flowsOf(trace.events).size).toBe(6);
    const cells = trace.events.filter(({ track, type }) => track === 'cells' && type === 'SLICE_BEGIN');
    expect(cells.map(({ name, ns }) => [name, ns - EPOCH])).toEqual([
      ['a', 0],
      ['b', 1e9],
    ]);
    expect(cells[1].notes).toEqual({ threads: 3, 'traced: one fault in': 1, 'records lost': 0 });
    expect(new Set(trace.tracks).size).toBe(trace.tracks.length);
  });

  test('says what was lost, and nests all the same', async () => {
    await cell('a', () => {
      // Nobody drains meanwhile: the ring of a handler that has 2^17 records keeps those, the ring of a device thread 2^12.
      for (let i = 0; i < 3000; i++) record(deviceRing(place, 2), [i, STALLED, 2, 0], [i, GOING, 2, 0]);
      record(HANDLER, [5, ANSWER, 0, 0], [6, HANDLE, 1, 0], [7, HANDLE, 1, 0]);
    });
    recorder.close();
    const trace = decodeTrace(file);
    expect(faultsOfTrace(trace).filter((line) => !line.startsWith('flow'))).toEqual([]);
    expect(recorder.recorded().lost).toBe(6000 - 4096);
    expect(trace.events[0].notes).toMatchObject({ 'records lost': 6000 - 4096 });
  });

  test('is as large as it likes: rings are emptied while it runs, and nothing is left beside the file', async () => {
    const rounds = 16_500; // more records than the spool keeps in memory
    await cell('a', () => {
      for (let i = 0; i < rounds; i++) {
        const ring = deviceRing(place, i % 3);
        record(ring, [i, STALLED, i % 3, 0], [i, STALL, i % 3, i + 1], [i, RESUME, i % 3, i + 1], [i, GOING, i % 3, 0]);
        if (i % 1000 === 0) recorder.drain();
      }
    });
    recorder.close();
    const { faults, ended, records, lost, bytes } = recorder.recorded();
    expect({ faults, ended, records, lost }).toEqual({ faults: rounds, ended: rounds, records: 4 * rounds, lost: 0 });
    expect(bytes).toBeGreaterThan(rounds * 50);
    const trace = decodeTrace(file);
    expect(faultsOfTrace(trace)).toEqual([]);
    expect(flowsOf(trace.events).size).toBe(rounds);
    expect(readdirSync(folder)).toEqual(['run.perfetto']);
  });

  test('ticks wrap after 214 s', async () => {
    const late = 2 ** 31 - 10;
    await cell('a', () =>
      record(
        HARDWARE,
        [0, DRAIN, 0, 0],
        [2 ** 30, DRAINED, 0, 1],
        [late, DRAIN, 0, 0],
        [(late + 20) | 0, DRAINED, 0, 1],
      ),
    );
    recorder.close();
    const { events } = decodeTrace(file);
    expect(faultsOfTrace({ tracks: [], events })).toEqual([]);
    expect(events.at(-2)?.ns).toBe(EPOCH + (late + 20) * 100);
  });
});

test('every field that the tests decode is one of the definitions at hand', () => {
  const at = definitions();
  for (const name of [
    'Trace',
    'TracePacket',
    'TrackDescriptor',
    'CounterDescriptor',
    'TrackEvent',
    'DebugAnnotation',
    'InternedData',
    'EventName',
    'DebugAnnotationName',
  ])
    for (const field of ownDefinitions().lookupType(`perfetto.protos.${name}`).fieldsArray) {
      const { id, type, repeated } = at.lookupType(`perfetto.protos.${name}`).fields[field.name];
      expect({ name: field.name, id, type, repeated }).toEqual({
        name: field.name,
        id: field.id,
        type: field.type,
        repeated: field.repeated,
      });
    }
});
