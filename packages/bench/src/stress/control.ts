import { LINE } from '@faultline/core/sync';

// The control words of a run: how the main thread starts, watches and ends a cell. Offsets from the region's base.
//
//   name      offset    writer        meaning
//   CELL      0         main          the running cell's number; bumped to start one. Publishes the parameters below
//   READY     LINE      handlers      handlers and scanner that have entered the cell
//   DONE      2 LINE    all threads   threads that have left it
//   HANDLERS  3 LINE    main          number of the cell whose handlers (and scanner) run; 0: they end
//   QUIT      4 LINE    main          1: the thread ends
//   PARAMS    5 LINE    main          CELL_* parameters, published by CELL and by HANDLERS
//
// The gate, the stop flag and the budget of the device threads are the accelerator's own (RunControl).
export const CTL_CELL = 0;
export const CTL_READY: number = LINE;
export const CTL_DONE: number = 2 * LINE;
export const CTL_HANDLERS: number = 3 * LINE;
export const CTL_QUIT: number = 4 * LINE;
export const CTL_PARAMS: number = 5 * LINE;
export const CTL_WORDS: number = 6 * LINE;

/** Parameters of a cell, as words. */
export const CELL_THREADS = 0;
export const CELL_GENERATION = 1;
export const CELL_TIMEOUT_TICKS = 3;
export const CELL_SEED = 4;
export const CELL_MAX_ACTIVE = 5;
export const CELL_SCAN_PAGES_PER_SECOND = 6;
export const CELL_SPINS = 7;
/** The clock's zero in nanoseconds, low word and high word. */
export const CELL_EPOCH = 8;
/** Times that a job goes over its window. */
export const CELL_PASSES = 10;
