import { LINE } from '@faultline/core/sync';

// The control words of a run: how the main thread starts, watches and ends a cell. Offsets from the region's base.
//
//   name      offset    writer        meaning
//   CELL      0         main          the running cell (packCell): its number and how many device threads take part, in one word, so
//                                     that a worker that is late never takes one cell's number for another's size
//   READY     LINE      all threads   threads that have entered the cell: handlers first, then device workers
//   DONE      2 LINE    all threads   threads that have left it
//   HANDLERS  3 LINE    main          number of the cell whose handlers run; 0: they end
//   QUIT      4 LINE    main          1: the thread ends
//   GO        5 LINE    main          number of the cell whose device threads may start
//   STOP      6 LINE    main          1: device threads end at the next job or round
//   BUDGET    7 LINE    device side   faults nobody has claimed (claimFaults)
//   PARAMS    8 LINE    main          CELL_* parameters, published by CELL and by HANDLERS
//   OVER      9 LINE    main          number of the cell whose devices are off: nobody needs their endpoints any more
export const CTL_CELL = 0;
export const CTL_READY: number = LINE;
export const CTL_DONE: number = 2 * LINE;
export const CTL_HANDLERS: number = 3 * LINE;
export const CTL_QUIT: number = 4 * LINE;
export const CTL_GO: number = 5 * LINE;
export const CTL_STOP: number = 6 * LINE;
export const CTL_BUDGET: number = 7 * LINE;
export const CTL_PARAMS: number = 8 * LINE;
export const CTL_OVER: number = 9 * LINE;
export const CTL_WORDS: number = 10 * LINE;

const THREADS_BITS = 13;

/** A cell's number and its device threads as one word. */
export function packCell(number: number, threads: number): number {
  return (number << THREADS_BITS) | threads;
}
export function cellThreads(cell: number): number {
  return cell & ((1 << THREADS_BITS) - 1);
}
export function cellNumber(cell: number): number {
  return cell >>> THREADS_BITS;
}

/** Parameters of a cell, as words. */
export const CELL_GENERATION = 1;
export const CELL_TIMEOUT_TICKS = 3;
export const CELL_MAX_ACTIVE = 5;
export const CELL_SCAN_PAGES_PER_SECOND = 6;
export const CELL_SPINS = 7;
/** The clock's zero in nanoseconds, low word and high word. */
export const CELL_EPOCH = 8;
/** Times that a job goes over its window. */
export const CELL_PASSES = 10;
/** 1: a resumed access is tried again; 0: it is done, as the handler maps nothing. */
export const CELL_RETRIES = 12;
/** 1: the cell ends when BUDGET is used up. */
export const CELL_BUDGETED = 11;
