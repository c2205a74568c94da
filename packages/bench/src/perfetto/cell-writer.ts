import type { RunShape, RunTracks } from './cell-tracks.ts';
import {
  DRAIN,
  DRAINED,
  FILL,
  GOING,
  HANDLE,
  MAP,
  MAPPED,
  MEMBER,
  REFUSE,
  REPORT,
  RESUME,
  STALL,
  STALLED,
  VOID,
} from './events.ts';
import type { EventParts, TraceFile } from './trace-file.ts';

const TICK_NS = 100;
/** Control threads before the first handler. */
const HOSTS = 2;
const FLOW_BITS = 32n;
const CODES: readonly string[] = ['success', 'invalid', 'failure'];

/** What the records alone do not say. */
export interface CellTrace {
  readonly name: string;
  /** Number of the cell in the file, from 1: flows of two cells are not the same. */
  readonly number: number;
  readonly epochNs: number;
  readonly notes: Readonly<Record<string, number | string>>;
}

/** What was written of a cell. */
export interface CellCounts {
  records: number;
  /** Traced faults that stalled. */
  faults: number;
  /** Of these, those that were resumed or terminated. */
  ended: number;
  /** What the pumps dealt with. */
  drained: number;
}

/** Makes slices, flows and counters of a cell's records, which come by time. */
export class CellWriter {
  readonly #file: TraceFile;
  readonly #tracks: RunTracks;
  readonly #shape: RunShape;
  readonly #cell: CellTrace;
  readonly #open: Set<number> = new Set(); // tracks with a slice: a lost record leaves no slice open, and ends no other
  readonly #flows: bigint;
  readonly #outstanding: Int32Array; // by device; 0: of all
  readonly #changed: Set<number> = new Set();
  readonly #counts: CellCounts = { records: 0, faults: 0, ended: 0, drained: 0 };
  #tick = 0;

  constructor(file: TraceFile, tracks: RunTracks, shape: RunShape, cell: CellTrace) {
    this.#file = file;
    this.#tracks = tracks;
    this.#shape = shape;
    this.#cell = cell;
    this.#flows = BigInt(cell.number) << FLOW_BITS;
    this.#outstanding = new Int32Array(shape.devices + 1);
    this.#begin(tracks.cells, cell.epochNs, cell.name, { notes: cell.notes });
  }

  record(ring: number, tick: number, kind: number, object: number, value: number): void {
    if (tick > this.#tick) {
      this.#tell();
      this.#tick = tick;
    }
    this.#counts.records++;
    const ns = this.#now();
    if (kind <= GOING) this.#ofDevice(kind, this.#tracks.thread(object), object, ns, value);
    else if (kind <= DRAINED) this.#ofPump(kind, this.#tracks.queues[object], ns, value);
    else if (kind <= REFUSE)
      this.#file.instant(this.#tracks.interrupt, ns, kind === REPORT ? 'report' : 'refuse', this.#flow(value));
    else if (kind <= MAPPED) this.#ofHandler(kind, this.#tracks.handlers[ring - HOSTS - 1], object, ns, value);
    else this.#file.count(kind === FILL ? this.#tracks.fill(object) : this.#tracks.pending(object), ns, value);
  }

  #ofDevice(kind: number, track: number, thread: number, ns: number, value: number): void {
    if (kind === STALLED) this.#begin(track, ns, 'stalled');
    else if (kind === GOING) this.#end(track, ns);
    else if (kind === STALL) {
      this.#counts.faults++;
      this.#stalled(thread, 1);
      this.#file.instant(track, ns, 'stall', this.#flow(value));
    } else {
      this.#counts.ended++;
      this.#stalled(thread, -1);
      this.#file.instant(track, ns, kind === RESUME ? 'resume' : 'abort', { ...this.#flow(value), ends: true });
    }
  }

  #ofPump(kind: number, track: number, ns: number, done: number): void {
    if (kind === DRAIN) this.#begin(track, ns, 'drain');
    else {
      this.#end(track, ns);
      this.#counts.drained += done;
    }
  }

  #ofHandler(kind: number, track: number, object: number, ns: number, value: number): void {
    if (kind === HANDLE) this.#begin(track, ns, `handle device ${object}`, this.#flow(value));
    else if (kind === MAP) this.#begin(track, ns, 'map', this.#flow(value));
    else if (kind === MEMBER) this.#file.instant(track, ns, 'member', this.#flow(value));
    else {
      this.#end(track, ns);
      if (kind === MAPPED) return;
      if (kind === VOID) this.#file.instant(track, ns, 'void');
      else if (object !== 0) this.#file.instant(track, ns, CODES[object]);
    }
  }

  #now(): number {
    return this.#cell.epochNs + this.#tick * TICK_NS;
  }
  #flow(number: number): EventParts {
    return { flow: this.#flows | BigInt(number >>> 0) };
  }

  #begin(track: number, ns: number, name: string, parts?: EventParts): void {
    if (this.#open.has(track)) this.#file.end(track, ns);
    this.#open.add(track);
    this.#file.begin(track, ns, name, parts);
  }
  #end(track: number, ns: number): void {
    if (this.#open.delete(track)) this.#file.end(track, ns);
  }

  #stalled(thread: number, change: number): void {
    for (const device of [0, this.#shape.deviceOf(thread)]) {
      this.#outstanding[device] += change;
      this.#changed.add(device);
    }
  }
  /** Counters, once a tick. */
  #tell(): void {
    for (const device of this.#changed)
      this.#file.count(
        device === 0 ? this.#tracks.outstanding : this.#tracks.outstandingOf[device - 1],
        this.#now(),
        this.#outstanding[device],
      );
    this.#changed.clear();
  }

  close(): CellCounts {
    this.#tell();
    for (const track of [...this.#open].reverse()) this.#end(track, this.#now());
    return this.#counts;
  }
}
