// Progress goes to stderr: a bar with the time left on a terminal, a line per cell elsewhere.
import { SingleBar } from 'cli-progress';
import { formatNs, formatRate, formatSeconds } from '../report/format.ts';
import { nameCell } from '../result/books.ts';
import type { Cell } from '../result/schema.ts';

export interface Progress {
  plan(cells: number, estimateSeconds: number): void;
  cell(cell: Cell): void;
  at(doneSeconds: number, totalSeconds: number, label: string): void;
  note(text: string): void;
  stop(): void;
}

/** A stream that text can be written to; `isTTY` says that a person watches. */
export interface TextSink {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

export function openProgress(stream: TextSink): Progress {
  return stream.isTTY ? new BarProgress(stream as NodeJS.WriteStream) : new LineProgress(stream);
}

class LineProgress implements Progress {
  #stream: TextSink;
  #cells = 0;
  #done = 0;
  constructor(stream: TextSink) {
    this.#stream = stream;
  }
  plan(cells: number, estimateSeconds: number): void {
    this.#cells += cells;
    this.note(`${cells} cells, about ${formatSeconds(estimateSeconds)}`);
  }
  cell(cell: Cell): void {
    this.#done += 1;
    this.note(`${this.#done}/${this.#cells} ${describe(cell)}`);
  }
  at(): void {}
  note(text: string): void {
    this.#stream.write(`${text}\n`);
  }
  stop(): void {}
}

class BarProgress implements Progress {
  #bar: SingleBar;
  #stream: NodeJS.WriteStream;
  #running = false;
  #total = 0;
  /** Seconds of the runs before this one: a second run continues the same bar. */
  #before = 0;
  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#bar = new SingleBar({
      stream,
      format: '{bar} {percentage} % · {left} left · {label}',
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 24,
      hideCursor: true,
      clearOnComplete: true,
      stopOnComplete: false,
      linewrap: false,
    });
  }
  plan(_cells: number, estimateSeconds: number): void {
    this.#before = this.#total;
    this.#total += estimateSeconds;
    const payload = { left: formatSeconds(estimateSeconds), label: 'starting' };
    if (this.#running) this.#bar.setTotal(this.#total);
    else this.#bar.start(this.#total, 0, payload);
    this.#running = true;
  }
  cell(cell: Cell): void {
    this.note(describe(cell));
  }
  at(doneSeconds: number, totalSeconds: number, label: string): void {
    if (!this.#running) return;
    this.#total = this.#before + totalSeconds;
    this.#bar.setTotal(this.#total);
    const left = formatSeconds(Math.max(0, totalSeconds - doneSeconds));
    this.#bar.update(this.#before + Math.min(doneSeconds, totalSeconds), { left, label });
  }
  note(text: string): void {
    if (this.#running) this.#stream.write('\r\x1b[K'); // the bar draws itself again below
    this.#stream.write(`${text}\n`);
    if (this.#running) this.#bar.render();
  }
  stop(): void {
    if (this.#running) this.#bar.stop();
    this.#running = false;
  }
}

function describe(cell: Cell): string {
  const { timeouts, refaults } = cell;
  const trouble = (timeouts > 0 ? `, ${timeouts} time-outs` : '') + (refaults > 0 ? `, ${refaults} re-faults` : '');
  return `${nameCell(cell)}: ${formatRate(cell.faultsPerSecond)}, p99 ${formatNs(cell.latencyNs.p99)}${trouble}`;
}
