import { LINE, type Words } from '../sync/index.ts';

// Books: what each thread did, one row a thread, so that counting costs no shared line. A row has one writer; sums are exact
// once its writer has called publish() for the last time.
//
//   name      offset  meaning
//   REPORTED  0       page requests that reached reportDeviceFault
//   GROUPS    1       groups handed to a handler
//   ANSWERED  2       groups and lone requests answered, each once: the holder's own answers
//   VOIDED    3       groups answered for their holder (PRI-off, light flush)
//   LATE      4       holders' answers that came after that: no-ops
//   REFUSED   5       requests answered at once: no handler, no memory, a full work ring
//   DROPPED   6       set-aside requests dropped without an answer (the device asks again)
//   SUCCESS   7       answers by code
//   INVALID   8
//   FAILURE   9
//   STEPS     10      list entries walked by searches for the pending fault
//   SEARCHES  11      such searches
export const BOOK_REPORTED = 0;
export const BOOK_GROUPS = 1;
export const BOOK_ANSWERED = 2;
export const BOOK_VOIDED = 3;
export const BOOK_LATE = 4;
export const BOOK_REFUSED = 5;
export const BOOK_DROPPED = 6;
export const BOOK_CODES = 7;
export const BOOK_STEPS = 10;
export const BOOK_SEARCHES = 11;
export const BOOK_FIELDS = 12;
export const BOOK_WORDS: number = LINE;

export interface Books {
  reported: number;
  groups: number;
  answered: number;
  voided: number;
  late: number;
  refused: number;
  dropped: number;
  success: number;
  invalid: number;
  failure: number;
  steps: number;
  searches: number;
}

/** A thread's own row. Counts in plain fields; {@link publish} stores them for the others. */
export class BookKeeper {
  reported = 0;
  groups = 0;
  answered = 0;
  voided = 0;
  late = 0;
  refused = 0;
  dropped = 0;
  success = 0;
  invalid = 0;
  failure = 0;
  steps = 0;
  searches = 0;
  readonly #words: Words;
  readonly #at: number;

  constructor(words: Words, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Stores the row. Pairs with {@link sumBooks}' loads. */
  publish(): void {
    const words = this.#words;
    const at = this.#at;
    Atomics.store(words, at + BOOK_REPORTED, this.reported);
    Atomics.store(words, at + BOOK_GROUPS, this.groups);
    Atomics.store(words, at + BOOK_ANSWERED, this.answered);
    Atomics.store(words, at + BOOK_VOIDED, this.voided);
    Atomics.store(words, at + BOOK_LATE, this.late);
    Atomics.store(words, at + BOOK_REFUSED, this.refused);
    Atomics.store(words, at + BOOK_DROPPED, this.dropped);
    Atomics.store(words, at + BOOK_CODES, this.success);
    Atomics.store(words, at + BOOK_CODES + 1, this.invalid);
    Atomics.store(words, at + BOOK_CODES + 2, this.failure);
    Atomics.store(words, at + BOOK_STEPS, this.steps);
    Atomics.store(words, at + BOOK_SEARCHES, this.searches);
  }
}

/** Sums the rows of threads 1 to `threads`, which start at `base`. */
export function sumBooks(words: Words, base: number, threads: number): Books {
  const sums = new Array<number>(BOOK_FIELDS).fill(0);
  for (let thread = 1; thread <= threads; thread++)
    for (let field = 0; field < BOOK_FIELDS; field++)
      sums[field] += Atomics.load(words, base + thread * BOOK_WORDS + field) >>> 0;
  const [reported, groups, answered, voided, late, refused, dropped, success, invalid, failure, steps, searches] = sums;
  return { reported, groups, answered, voided, late, refused, dropped, success, invalid, failure, steps, searches };
}
