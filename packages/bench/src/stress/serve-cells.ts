import type { Arena } from '@faultline/core/memory';
import { CELL_GENERATION, CTL_DONE, CTL_HANDLERS, CTL_PARAMS, CTL_QUIT, CTL_READY } from './control.ts';

/** The life of a handler thread: sleeps until a cell of its generation starts, runs it, until told to quit. Blocks: nothing else runs on the thread. `run` returns soon after `isOver` says so. */
export function serveCells(arena: Arena, generation: number, run: (isOver: () => boolean) => void): void {
  const { words } = arena;
  const control = arena.base('control');
  let served = 0;
  for (;;) {
    const cell = Atomics.load(words, control + CTL_HANDLERS);
    if (Atomics.load(words, control + CTL_QUIT) !== 0) return;
    const mine = cell !== 0 && words[control + CTL_PARAMS + CELL_GENERATION] === generation;
    if (cell === served || !mine) {
      Atomics.wait(words, control + CTL_HANDLERS, cell);
      continue;
    }
    served = cell;
    Atomics.add(words, control + CTL_READY, 1);
    Atomics.notify(words, control + CTL_READY);
    run(() => Atomics.load(words, control + CTL_HANDLERS) !== cell);
    Atomics.add(words, control + CTL_DONE, 1);
    Atomics.notify(words, control + CTL_DONE);
  }
}
