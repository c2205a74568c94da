// A trace from its file to balanced books: the main thread reads and feeds, while a cell runs whose device threads are the trace's devices.
import { hostDoorbellBase } from '@faultline/core/actor';
import { TICK_NS } from '@faultline/core/sync';
import { HistogramSum } from '@faultline/core/trace';
import { type EndpointStat, readEndpointStats } from '@faultline/hw/pcie';
import type { Recorder } from '../../perfetto/recorder.ts';
import type { Bin, Cell, LatencyNs } from '../../result/schema.ts';
import { PASID, portPlaces } from '../../stress/family/family.ts';
import { INTERRUPT_HOST, WINDOWS, wakeBase } from '../../stress/plan.ts';
import { onStage } from '../../stress/run.ts';
import { type CellStage, runCell } from '../../stress/run-cell.ts';
import { type RecordedName, RequestRecorder } from '../record/request-recorder.ts';
import { requestRegions } from '../record/request-ring.ts';
import type { TraceFile } from '../source/open-trace.ts';
import { TraceReader } from '../source/trace-reader.ts';
import { Feeder } from './feeder.ts';
import {
  initReplay,
  PLACE_HELD_CREDIT,
  PLACE_HELD_INDEX,
  PLACE_LATENESS,
  PLACE_UNSENT,
  placeBase,
  replayRegions,
} from './layout.ts';
import { foldedPages, parametersOf, type ReplayOptions } from './options.ts';
import { PLACE_WORDS } from './place.ts';

export interface ReplayHooks {
  /** Bytes of the file that were read, now and then. */
  onProgress(bytes: number, records: number): void;
  readonly signal: AbortSignal;
  /** File that what was reported to the core is written to, as a trace. */
  readonly record?: string | undefined;
  /** Set where threads record what they do, for Perfetto. */
  readonly recorder?: Recorder | undefined;
}

/** What came of a replay. */
export interface Replayed {
  readonly reader: TraceReader;
  readonly feeder: Feeder;
  readonly cell: Cell;
  /** Sums of the endpoints' statistics. */
  readonly stats: Record<EndpointStat, number>;
  readonly heldIndex: number;
  readonly heldCredit: number;
  readonly unsent: number;
  readonly latenessNs: LatencyNs;
  readonly latenessBins: Bin[];
  readonly interrupted: boolean;
}

const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));
const TIMEOUT_MS = 4200;

/** @throws what the file system says; ThreadDied, IommuError as runCell. */
export async function replayTrace(file: TraceFile, options: ReplayOptions, hooks: ReplayHooks): Promise<Replayed> {
  const parameters = parametersOf(options);
  const parts = {
    regions: [...replayRegions(options.devices, PLACE_WORDS), ...(hooks.record === undefined ? [] : requestRegions())],
    deviceWorker: new URL(`./replay.worker${extension}`, import.meta.url),
    deviceData: { iommu: options.iommu, foldPages: foldedPages(parameters, WINDOWS) },
    takesAttachOrders: true,
    ...(hooks.recorder === undefined ? {} : { trace: hooks.recorder }),
  };
  return onStage(parameters, hooks.signal, (stage) => replayOn(stage, file, options, hooks), parts);
}

async function replayOn(
  stage: CellStage,
  file: TraceFile,
  options: ReplayOptions,
  hooks: ReplayHooks,
): Promise<Replayed> {
  const { arena, plan, crew } = stage;
  const { threadsPerWorker } = plan.parameters;
  initReplay(arena, options.devices);
  await crew.growDevices(plan.crew.deviceWorkers, () => {}, hooks.signal);
  const over = new AbortController();
  const signal = AbortSignal.any([hooks.signal, over.signal]);
  const feeder = new Feeder(arena, {
    places: options.devices,
    placesPerWorker: threadsPerWorker,
    wakeOf: (worker) => wakeBase(arena, worker),
    interruptDoorbell: hostDoorbellBase(arena, INTERRUPT_HOST),
    attachedPasid: PASID,
    speed: options.speed,
    signal,
  });
  const reader = new TraceReader();
  const order = { generation: options.generation, threads: options.devices, repeat: 0, scanPeriodMs: 0 };
  const nameOf = (device: number): RecordedName => {
    const { device: number, rid } = feeder.devices[device - 1];
    return { name: reader.parser.names.name(number), rid };
  };
  const requests = hooks.record === undefined ? undefined : new RequestRecorder(hooks.record, nameOf);
  const running = runCell(stage, { ...order, timeoutMs: TIMEOUT_MS, requests }, hooks.recorder).finally(() => {
    over.abort();
    requests?.close();
  });
  const feeding = feed(file, reader, feeder, { ...hooks, signal }).finally(() => feeder.end());
  feeding.catch(() => {}); // awaited below: the cell ends first, as the feeder has ended
  const cell = await running;
  // Interrupted, the trace may be one that waits for its writer.
  if (!hooks.signal.aborted) await feeding;
  return collect(stage, { reader, feeder, cell, interrupted: hooks.signal.aborted });
}

async function feed(file: TraceFile, reader: TraceReader, feeder: Feeder, hooks: ReplayHooks): Promise<void> {
  const { signal } = hooks;
  for await (const chunk of file.chunks) {
    reader.push(chunk);
    for (let record = reader.next(); record !== undefined; record = reader.next()) {
      while (!feeder.put(record)) {
        if (signal.aborted) return;
        await feeder.makeWay(record);
        hooks.onProgress(file.position(), reader.counts.records);
      }
    }
    feeder.publish();
    hooks.onProgress(file.position(), reader.counts.records);
    if (signal.aborted) return;
  }
  const last = reader.finish();
  if (last === undefined) return;
  while (!feeder.put(last) && !signal.aborted) await feeder.makeWay(last);
}

function collect(
  { arena, plan }: CellStage,
  known: Pick<Replayed, 'reader' | 'feeder' | 'cell' | 'interrupted'>,
): Replayed {
  const { words } = arena;
  const { endpoints, endpointWords } = portPlaces(arena, plan.family, true);
  const lateness = new HistogramSum();
  let [heldIndex, heldCredit, unsent] = [0, 0, 0];
  const all = readEndpointStats(words, endpoints);
  for (let place = 0; place < plan.maxThreads; place++) {
    const base = placeBase(arena, place, PLACE_WORDS);
    lateness.add(words, base + PLACE_LATENESS);
    heldIndex += words[base + PLACE_HELD_INDEX];
    heldCredit += words[base + PLACE_HELD_CREDIT];
    unsent += words[base + PLACE_UNSENT];
    if (place === 0) continue;
    const stats = readEndpointStats(words, endpoints + place * endpointWords);
    for (const stat of Object.keys(all) as EndpointStat[]) all[stat] += stats[stat];
  }
  return {
    ...known,
    stats: all,
    ...{ heldIndex, heldCredit, unsent },
    latenessNs: quantiles(lateness),
    latenessBins: [...lateness.bins()].map(({ start, count }): Bin => [start * TICK_NS, count]),
  };
}

function quantiles(histogram: HistogramSum): LatencyNs {
  const at = (share: number): number => histogram.quantile(share) * TICK_NS;
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: histogram.max * TICK_NS };
}
