// How far it has come, on stderr: a line that is written over on a terminal, a line a design elsewhere.
import { countOf } from '../../explore/report/text.ts';
import { formatSeconds } from '../../report/format.ts';
import type { Terminal } from './types.ts';

export class ExploreProgress {
  #stream: Terminal;
  #label = '';
  #shown = false;

  constructor(stream: Terminal) {
    this.#stream = stream;
  }

  start(at: number, total: number, name: string, design: string): void {
    this.#label = `${total > 1 ? `${at}/${total} ` : ''}${name}, ${design}`;
    this.at(0, 0);
  }

  at(schedules: number, seconds: number): void {
    if (!this.#stream.isTTY) return;
    const figures = schedules > 0 ? `: ${countOf(schedules, 'schedule')}, ${formatSeconds(seconds)}` : '';
    const width = (this.#stream.columns ?? 80) - 1; // a line that wraps cannot be written over
    const room = Math.max(0, width - figures.length);
    this.#stream.write(`\r\x1b[K${this.#label.slice(0, room)}${figures}`);
    this.#shown = true;
  }

  done(summary: string): void {
    this.note(`${this.#label}: ${summary}`);
  }

  note(text: string): void {
    this.stop();
    this.#stream.write(`${text}\n`);
  }

  stop(): void {
    if (this.#shown) this.#stream.write('\r\x1b[K');
    this.#shown = false;
  }
}
