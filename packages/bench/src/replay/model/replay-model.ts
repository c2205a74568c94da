// A trace through the model, in virtual time: what its machine would make of the same arrivals.
import { Histogram } from '../../model/engine/histogram.ts';
import { Arrivals, type Preset } from '../../model/index.ts';
import type { LatencyNs } from '../../result/schema.ts';
import type { Generation } from '../../scenario/parameters.ts';
import type { TraceFile } from '../source/open-trace.ts';
import { TraceReader } from '../source/trace-reader.ts';
import { GROUP_INDICES, type TraceRecord } from '../trace/trace-record.ts';

export interface ModelReplayOptions {
  readonly preset: Preset;
  readonly generation: Generation;
  readonly speed: number;
  /** Devices of the trace that there is a place for. */
  readonly devices: number;
  readonly seed: number;
}

export interface ModelReplayed {
  readonly reader: TraceReader;
  /** Records of devices that no place was left for. */
  readonly unplaced: number;
  readonly stopMarkers: number;
  readonly groupsSent: number;
  readonly answered: number;
  readonly heldForCredit: number;
  /** Virtual. */
  readonly seconds: number;
  readonly latencyNs: LatencyNs;
  readonly events: number;
  readonly interrupted: boolean;
}

/** A group's pages in the model, at most: what its queue has room for. */
const MAX_GROUP_PAGES = 512;

/** Reads the trace once, and simulates as it goes. */
export async function replayInModel(
  file: TraceFile,
  options: ModelReplayOptions,
  hooks: { onProgress(bytes: number, records: number): void; readonly signal: AbortSignal },
): Promise<ModelReplayed> {
  const reader = new TraceReader();
  const arriving = new Arriving(options);
  for await (const chunk of file.chunks) {
    reader.push(chunk);
    for (let record = reader.next(); record !== undefined; record = reader.next()) arriving.take(record);
    hooks.onProgress(file.position(), reader.counts.records);
    if (hooks.signal.aborted) break;
  }
  const last = reader.finish();
  if (last !== undefined) arriving.take(last);
  return { reader, ...arriving.finish(), interrupted: hooks.signal.aborted };
}

/** Puts groups together: the model has one arrive when its last request does. */
class Arriving {
  readonly #arrivals: Arrivals;
  readonly #latency: Histogram = new Histogram();
  readonly #options: ModelReplayOptions;
  readonly #open: Int32Array[] = []; // pages of groups that want their last request, by device and index
  #startNs: number = Number.NaN;
  #unplaced = 0;
  #stopMarkers = 0;
  #sent = 0;

  constructor(options: ModelReplayOptions) {
    const { preset, generation, devices, seed } = options;
    const config = { ...preset.config, generation, threads: devices, devices, grain: 1 };
    const most = Math.min(config.queueEntries, config.stallMax);
    this.#options = options;
    this.#arrivals = new Arrivals(config, seed, most, (ns) => this.#latency.record(ns, 1));
  }

  take(record: TraceRecord): void {
    const { device, index, isLast, perm, timeNs } = record;
    if (device >= this.#options.devices) {
      this.#unplaced++;
      return;
    }
    if (isLast && (perm & 3) === 0) {
      this.#stopMarkers++;
      return;
    }
    while (this.#open.length <= device) this.#open.push(new Int32Array(GROUP_INDICES));
    const pages = ++this.#open[device][index];
    if (!isLast) return;
    this.#open[device][index] = 0;
    this.#sent++;
    this.#arrivals.arrive(this.#atNs(timeNs), device, Math.min(MAX_GROUP_PAGES, pages));
  }

  finish(): Omit<ModelReplayed, 'reader' | 'interrupted'> {
    const arrivals = this.#arrivals;
    arrivals.finish();
    const at = (share: number): number => this.#latency.quantile(share);
    return {
      unplaced: this.#unplaced,
      stopMarkers: this.#stopMarkers,
      groupsSent: this.#sent,
      answered: arrivals.answered,
      heldForCredit: arrivals.held,
      seconds: arrivals.now / 1e9,
      latencyNs: { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: this.#latency.max },
      events: arrivals.events,
    };
  }

  #atNs(timeNs: number): number {
    const { speed } = this.#options;
    if (speed === Number.POSITIVE_INFINITY || Number.isNaN(timeNs)) return 0;
    if (Number.isNaN(this.#startNs)) this.#startNs = timeNs;
    return (timeNs - this.#startNs) / speed;
  }
}
