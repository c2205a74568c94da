// Progress goes to stderr: a bar on a terminal, a line a section elsewhere.
import { SingleBar } from 'cli-progress';
import type { TextSink } from '../progress.ts';

export interface VerdictProgress {
  readonly section: (name: string) => void;
  /** Simulations made, of those asked for so far: a bisection asks for the next when it has the last. */
  readonly at: (done: number, asked: number) => void;
  readonly note: (text: string) => void;
  readonly stop: () => void;
}

export function openVerdictProgress(stream: TextSink): VerdictProgress {
  if (!stream.isTTY) {
    const write = (text: string): void => void stream.write(`${text}\n`);
    return { section: (name) => write(`simulating: ${name}`), at: () => {}, note: write, stop: () => {} };
  }
  const bar = new SingleBar({
    stream: stream as NodeJS.WriteStream,
    format: '{bar} {value} of {total} simulations · {section}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    linewrap: false,
  });
  bar.start(1, 0, { section: 'starting' });
  return {
    section: (name) => bar.update({ section: name }),
    at: (done, asked) => {
      bar.setTotal(asked);
      bar.update(done);
    },
    note: (text) => {
      stream.write(`\r\x1b[K${text}\n`);
      bar.render();
    },
    stop: () => bar.stop(),
  };
}
