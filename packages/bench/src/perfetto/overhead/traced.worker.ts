// As a run's threads: all have the tracing code, and put it round their parts where they are told to.
import { workerData } from 'node:worker_threads';
import { LINE } from '@faultline/core/sync';
import { TRACE_WORDS, TraceReader, TraceWriter } from '@faultline/core/trace';
import type { MachineWatch } from '../../calibrate/machine.ts';
import { FaultNumbers, initTrace, ringBase, ringsOf, type TracePlace, traceWordsOf } from '../place.ts';
import { TracedPath } from '../record/traced-path.ts';
import { TracedPort } from '../record/traced-port.ts';
import { TracedPump } from '../record/traced-pump.ts';
import { TracedReporter } from '../record/traced-reporter.ts';
import { runLoop, SHAPE } from './loop.ts';

/** Where the machine's pages are (calibrate/machine.ts). */
const FIRST_PAGE: number = 0x7f000000000 / 4096;
const [HARDWARE, INTERRUPT, HANDLER] = [1, 2, 3];
const EVENTS = 1;
const RECORDS = 2 ** 16;

const { sample } = workerData as { readonly sample: number };
if (sample === 0) await runLoop(undefined, () => {});
else {
  const sizes = { controlThreads: HANDLER, deviceThreads: SHAPE.devices, ...SHAPE };
  const place: TracePlace = {
    ...sizes,
    rings: LINE,
    faults: LINE + traceWordsOf(sizes),
    firstPage: FIRST_PAGE,
    sample,
  };
  const words = new Int32Array(new SharedArrayBuffer((place.faults + SHAPE.pages) * 4));
  initTrace(words, place);
  const readers = Array.from({ length: ringsOf(place) }, (_, i) => new TraceReader(words, ringBase(place, i + 1)));
  const into = new Int32Array(RECORDS * TRACE_WORDS);
  await runLoop(watchOf(words, place), () => {
    for (const reader of readers) {
      while (reader.take(into) > 0);
      if (reader.lost() > 0) throw new Error(`${reader.lost()} records lost: what is measured is not what records`);
    }
  });
}

function watchOf(words: Int32Array<SharedArrayBuffer>, place: TracePlace): MachineWatch {
  const writer = (ring: number): TraceWriter => new TraceWriter(words, ringBase(place, ring));
  const [hardware, interrupt, handler] = [writer(HARDWARE), writer(INTERRUPT), writer(HANDLER)];
  const numbers = new FaultNumbers(words, place);
  return {
    port: (own, thread, clock) => new TracedPort(own, words, place, thread, clock),
    hardware: (own, clock) => new TracedPump(own, 0, hardware, clock),
    events: (own, clock) => new TracedPump(own, EVENTS, interrupt, clock),
    reporter: (own, system, clock) => new TracedReporter(own, system.words, interrupt, numbers, clock),
    handler: (own, system, clock) => new TracedPath(own, system, handler, numbers, clock),
  };
}
