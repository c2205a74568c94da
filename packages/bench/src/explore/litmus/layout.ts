// What the threads of a litmus run share besides the scenario's memory. Words with different writers stand on lines of their own.
const LINE = 32;

export const ARRIVED = 0; // threads at the barrier
export const ROUND: number = LINE; // barriers passed: what the others spin on
export const STOP: number = 2 * LINE; // 1: the iteration that begins is none
export const MOMENT: number = 3 * LINE; // counts calls and ends, for histories
export const ITERATIONS: number = 4 * LINE; // ended so far
export const VIOLATIONS: number = 4 * LINE + 1;
export const OUTCOMES: number = 5 * LINE;
export const MAX_OUTCOMES = 64;
export const RESULTS: number = OUTCOMES + MAX_OUTCOMES;
export const MAX_THREADS = 8;
/** A thread's operations: count, then rows. */
export const OPERATIONS: number = RESULTS + MAX_THREADS * LINE;
export const OPERATION_STRIDE = 8;
export const MAX_OPERATIONS = 63;
export const OPERATIONS_STRIDE: number = (MAX_OPERATIONS + 1) * OPERATION_STRIDE;
export const CONTROL_WORDS: number = OPERATIONS + MAX_THREADS * OPERATIONS_STRIDE;
