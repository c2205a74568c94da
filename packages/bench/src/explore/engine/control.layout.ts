// The control block: what the threads of an exploration share. All of it but GO and STOP belongs to whoever holds the turn,
// and is plain: giving the turn away (GO) publishes it to whoever takes the turn.

export const MAX_THREADS = 8;
const LINE = 32;

/** One line a thread: 1 gives it the turn, 2 says that it sleeps. */
export const GO = 0;
export const GO_STRIDE: number = LINE;

// The hot line: what every step reads and writes.
const HOT: number = MAX_THREADS * LINE;
export const STEP: number = HOT; // steps of this schedule so far
export const ENABLED: number = HOT + 1; // threads that wait at a scheduling point and may go on, as bits
export const LOCALS: number = HOT + 2; // threads whose next stretch touches nothing shared: started or woken, not yet gone on
export const LAST: number = HOT + 3; // who made the last step
export const ABORT: number = HOT + 4; // ABORT_*: the schedule is over, threads unwind
export const RNG: number = HOT + 5;
export const SPINNING: number = HOT + 6; // threads held back, as bits
export const ASLEEP: number = HOT + 7; // threads in wait
export const HASH: number = HOT + 8; // of all operations so far
export const KEEP: number = HOT + 9; // choices that are given: bounded and partial-order search, and replay
export const PREEMPTIONS: number = HOT + 10;
export const WAITERS: number = HOT + 11; // entries of the waiters' table
export const FINISHED: number = HOT + 12;
export const NOW: number = HOT + 13; // virtual milliseconds
export const WAIT_ORDER: number = HOT + 14;
export const HISTORY: number = HOT + 15; // operations recorded
export const RELEASED: number = HOT + 16; // releases of this schedule

// What changes once a schedule.
const COLD: number = HOT + LINE;
export const SCHEDULES: number = COLD;
export const REDUNDANT: number = COLD + 1;
export const LONGEST: number = COLD + 2;
export const CUT: number = COLD + 3; // schedules that went past the bound on steps
export const EXHAUSTED: number = COLD + 4;
export const QUIT: number = COLD + 5; // the session is over
export const FAILURE: number = COLD + 6; // FAIL_*
export const FAILED_THREAD: number = COLD + 7;
export const OPENED: number = COLD + 8; // threads that have made their objects for this schedule
export const SECOND_RUN: number = COLD + 9; // this schedule repeats the one before
export const FIRST_HASH: number = COLD + 10;
export const FIRST_STEPS: number = COLD + 11;
export const RELEASES: number = COLD + 12; // how often held threads were let go on because nobody else could
export const FAILED_STEP: number = COLD + 13;
export const INDEX: number = COLD + 14; // the schedule's number since the start of the exploration
export const DIVERGED: number = COLD + 15; // step at which given choices did not fit, plus 1
/** Choices that were given to the schedule that is being repeated, the first time. */
export const KEPT: number = COLD + 16;
export const FIRST_STATE: number = COLD + 17; // of memory and results
export const LOOKS: number = COLD + 18; // looks that a loop needs to go on otherwise

// What the session is asked to do; constant while it runs.
const SESSION: number = COLD + LINE;
export const THREADS: number = SESSION;
export const STRATEGY: number = SESSION + 1;
export const PARAMETER: number = SESSION + 2; // preemptions, or depth
export const SEED: number = SESSION + 3;
export const LIMIT: number = SESSION + 4; // schedules
export const MAX_STEPS: number = SESSION + 5;
export const SPIN_LIMIT: number = SESSION + 6;
export const TIMEOUTS: number = SESSION + 7;
export const RECORD: number = SESSION + 8;
export const TWICE: number = SESSION + 9; // schedules with a lower number are run twice
export const CHECKED: number = SESSION + 10;
export const FIRST_INDEX: number = SESSION + 11;

export const STOP: number = SESSION + LINE; // the main thread asks for an end, atomically

// A row a thread: what it will do when it goes on.
export const PENDING: number = STOP + LINE;
export const PENDING_STRIDE = 24;
export const P_KIND = 0;
export const P_LOC = 1;
export const P_ARG = 2;
export const P_WOKEN = 3; // WOKEN_*: what ended its wait
export const P_SPINS = 4; // how many words it is held back on, -1 for all, then their locations (queues: -2 - location)
export const P_SPIN_SET = 5;
export const MAX_SPIN_SET = 10;
export const P_IDLE = 15; // it sleeps on its event loop
export const P_ARG_HIGH = 16; // of an operation on a 64-bit word: the upper half of its argument; P_ARG is the fold

export const PRIORITIES: number = PENDING + MAX_THREADS * PENDING_STRIDE;
export const CHANGES: number = PRIORITIES + MAX_THREADS;
export const MAX_DEPTH = 16;
export const RESULTS: number = CHANGES + MAX_DEPTH;
export const OUTCOMES: number = RESULTS + MAX_THREADS;
export const MAX_OUTCOMES = 64;

export const WAITER: number = OUTCOMES + MAX_OUTCOMES;
export const MAX_WAITERS = 64;
export const WAITER_STRIDE = 8;
export const W_THREAD = 0;
export const W_LOC = 1;
export const W_ORDER = 2;
export const W_ASYNC = 3; // number of the thread's promise, 0 for a blocking wait
export const W_DEADLINE = 4; // virtual milliseconds, -1 for none

export const OPERATIONS: number = WAITER + MAX_WAITERS * WAITER_STRIDE;
export const MAX_OPERATIONS = 64;
export const OPERATION_STRIDE = 8; // thread, operation, argument, result, start, end

/** Choices so far, one byte a step: at this word, (steps + 3) / 4 words. */
export const CHOICES: number = OPERATIONS + MAX_OPERATIONS * OPERATION_STRIDE;

// A frame a step: bounded and partial-order search.
export const FRAME_STRIDE = 8;
export const F_CHOSEN = 0;
export const F_BACKTRACK = 1; // threads to try here, as bits
export const F_SLEEP = 2; // threads that need no trying here
export const F_ENABLED = 3;
export const F_EVENT = 4; // thread | class << 8
export const F_LOC = 5;
export const F_WOKE = 6; // threads that the step woke, as bits
export const F_POSTED = 7; // threads whose event loops the step gave something to do, as bits

/** Steps beyond the bound during which threads take turns fairly. */
export const FAIR_STEPS = 1024;

export function choiceWords(maxSteps: number): number {
  return Math.ceil((maxSteps + FAIR_STEPS + 64) / 4 / LINE) * LINE;
}
export function framesAt(maxSteps: number): number {
  return CHOICES + choiceWords(maxSteps);
}
export function controlWords(maxSteps: number): number {
  return framesAt(maxSteps) + (maxSteps + FAIR_STEPS + 64) * FRAME_STRIDE;
}

export const ABORT_NO = 0;
/** The sleep set says that this schedule leads nowhere new. */
export const ABORT_REDUNDANT = 1;
export const ABORT_FAILED = 2;

export const FAIL_NONE = 0;
export const FAIL_EXCEPTION = 1;
export const FAIL_CHECK = 2;
export const FAIL_OUTCOME = 3;
export const FAIL_STUCK = 4; // a deadlock or a lost wake-up
export const FAIL_LIVELOCK = 5;
export const FAIL_RACE = 6;
export const FAIL_USE_AFTER_FREE = 7;
export const FAIL_NONDETERMINISM = 8;
export const FAIL_REFUSED = 9;
/** No finding: a loop went on otherwise after more looks than threads are let make. */
export const FAIL_LOOKS = 11;
export const FAIL_BOOKS = 10;

export const WOKEN_NO = 0;
export const WOKEN_OK = 1;
export const WOKEN_TIMED_OUT = 2;

export const STRATEGY_RANDOM = 0;
export const STRATEGY_PCT = 1;
export const STRATEGY_BOUNDED = 2;
export const STRATEGY_DPOR = 3;
export const STRATEGY_REPLAY = 4;

export const TIMEOUTS_NEVER = 0;
export const TIMEOUTS_LAST = 1;
export const TIMEOUTS_ANY = 2;

// Classes of what an operation touches: the word's value (read, write), the queue of those asleep on it, and a history's marks.
// Two operations on one location depend on each other when their classes conflict.
export const VALUE_READ = 1;
export const VALUE_WRITE = 2;
export const QUEUE_READ = 4;
export const QUEUE_WRITE = 8;
export const MARK_CALL = 16;
export const MARK_DONE = 32;
export const CLASS_BITS = 6;

/** Locations past the words of either memory: a history's marks, then the event loop of each thread. */
export const PAST_WORDS: number = 1 + MAX_THREADS;
export function marksAt(words: number): number {
  return words;
}
export function loopAt(words: number, thread: number): number {
  return words + 1 + thread;
}

// Kinds of operation.
export const K_LOAD = 0;
export const K_STORE = 1;
export const K_ADD = 2;
export const K_SUB = 3;
export const K_AND = 4;
export const K_OR = 5;
export const K_XOR = 6;
export const K_EXCHANGE = 7;
export const K_CAS = 8;
export const K_WAIT = 9;
export const K_NOTIFY = 10;
export const K_WAIT_ASYNC = 11;
export const K_TIMEOUT = 12;
export const K_YIELD = 13; // a turn of the event loop
export const K_READ = 14;
export const K_WRITE = 15;
export const K_CALL = 16;
export const K_DONE = 17;
/** For the record alone: a woken thread goes on; a thread has ended. */
export const K_WAKE = 18;
export const K_END = 19;
/** No location. */
export const NOWHERE = -1;
