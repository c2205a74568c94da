import type { TraceFile } from './trace-file.ts';

/** What a run's tracks are named by. */
export interface RunShape {
  readonly devices: number;
  readonly handlers: number;
  readonly deviceThreads: number;
  /** The hardware's queues, by number from 0, and the worker that serves each. */
  readonly queues: readonly { readonly name: string; readonly host: 'hardware' | 'interrupt' }[];
  /** Device of a thread, from 1. */
  deviceOf(thread: number): number;
}

/** The tracks of a run: all cells share them. Those of device threads and most counters are made as they are needed. */
export class RunTracks {
  readonly cells: number;
  readonly interrupt: number;
  readonly queues: readonly number[];
  readonly handlers: readonly number[];
  readonly devices: readonly number[];
  readonly outstanding: number;
  readonly outstandingOf: readonly number[];
  readonly #file: TraceFile;
  readonly #shape: RunShape;
  readonly #threads: Map<number, number> = new Map();
  readonly #fills: Map<number, number> = new Map();
  readonly #pending: Map<number, number> = new Map();

  constructor(file: TraceFile, shape: RunShape) {
    this.#file = file;
    this.#shape = shape;
    this.cells = file.track('cells');
    this.outstanding = file.counter('outstanding faults', 'faults');
    const hardware = file.track('worker: hardware');
    this.interrupt = file.track('worker: interrupt');
    const workers = { hardware, interrupt: this.interrupt };
    this.queues = shape.queues.map(({ name, host }) => file.track(`queue: ${name}`, workers[host]));
    this.handlers = list(shape.handlers, (i) => file.track(`handler ${i}`));
    this.devices = list(shape.devices, (i) => file.track(`device ${i + 1}`));
    this.outstandingOf = this.devices.map((track, i) =>
      file.counter(`device ${i + 1}: outstanding faults`, 'faults', track),
    );
  }

  thread(thread: number): number {
    return this.#made(this.#threads, thread, () => {
      const device = this.#shape.deviceOf(thread);
      return this.#file.track(`device thread ${thread}`, this.devices[device - 1]);
    });
  }

  fill(queue: number): number {
    return this.#made(this.#fills, queue, () =>
      this.#file.counter(`${this.#shape.queues[queue].name}: fill`, 'records', this.queues[queue]),
    );
  }

  pending(domain: number): number {
    return this.#made(this.#pending, domain, () => this.#file.counter(`domain ${domain}: pending groups`, 'groups'));
  }

  #made(tracks: Map<number, number>, key: number, make: () => number): number {
    const known = tracks.get(key);
    if (known !== undefined) return known;
    const made = make();
    tracks.set(key, made);
    return made;
  }
}

function list<T>(length: number, make: (i: number) => T): T[] {
  return Array.from({ length }, (_, i) => make(i));
}
