import type { Words } from '@faultline/core/sync';
import { type RunShape, RunTracks } from './cell-tracks.ts';
import { type CellCounts, type CellTrace, CellWriter } from './cell-writer.ts';
import type { TraceOrder, TracePlace } from './place.ts';
import { Spool } from './spool.ts';
import { PerfettoFile } from './trace-file.ts';
import { writeCell } from './write-cell.ts';

/** How often rings are emptied: many times before a thread that is busy fills its own. */
const DRAIN_MS = 10;

export interface Recorded extends CellCounts {
  readonly cells: number;
  readonly lost: number;
  readonly bytes: number;
}

/** Records cells of a run and writes them to a file. Lives on the main thread, which has nothing else to do while a cell runs. */
export class Recorder implements TraceOrder {
  readonly sample: number;
  readonly #file: PerfettoFile;
  readonly #spool: Spool;
  readonly #sum: { -readonly [K in keyof Recorded]: number } = {
    ...{ records: 0, faults: 0, ended: 0, drained: 0, cells: 0, lost: 0, bytes: 0 },
  };
  #tracks: RunTracks | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param path of the file; what is recorded meanwhile stands beside it. @throws what the file system says. */
  constructor(path: string, { sample }: TraceOrder) {
    this.sample = sample;
    this.#file = new PerfettoFile(path);
    this.#spool = new Spool(`${path}.records`);
  }

  /** A cell's rings are empty, and its threads about to start. */
  begin(words: Words, place: TracePlace): void {
    this.#spool.begin(words, place);
    this.#timer = setInterval(() => this.drain(), DRAIN_MS);
  }

  /** Empties the rings. */
  drain(): void {
    this.#spool.drain();
  }

  /** The cell's threads have left it. */
  async end(shape: RunShape, cell: Omit<CellTrace, 'number'>): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#spool.drain();
    this.#tracks ??= new RunTracks(this.#file, shape);
    const lost = this.#spool.lost().reduce((sum, each) => sum + each, 0);
    const sum = this.#sum;
    const notes = { ...cell.notes, 'traced: one fault in': this.sample, 'records lost': lost };
    const writer = new CellWriter(this.#file, this.#tracks, shape, { ...cell, notes, number: ++sum.cells });
    const counts = await writeCell(writer, this.#spool.cursors());
    this.#file.flush();
    sum.lost += lost;
    for (const key of ['records', 'faults', 'ended', 'drained'] as const) sum[key] += counts[key];
  }

  /** What was written until now. */
  recorded(): Recorded {
    return { ...this.#sum, bytes: this.#file.bytes };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#spool.close();
    this.#file.close();
  }
}
