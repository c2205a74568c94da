// Who may begin a job: as many at once as the fault path has granted places, in the order in which they asked.
//
// A place is worth one job's faults. A thread that wants to begin draws the next number of NEXT. Number n may begin once OPEN is above n:
// OPEN starts as the places granted, and each job that ends raises it by one. So numbers are admitted in the order in which they were
// drawn, whoever ends first, and no more than `places` are between admission and end: every number below OPEN but the ended ones.
//
//   nobody starves        each job ends, done, failed or too old, as each of its faults is answered, and raises OPEN; a number waits for no
//                         more ends than there are numbers before it, and nobody who draws later comes before it.
//   no wake-up is lost    who ends reads OPEN = n as it raises it: the one number that it lets in is n, and WAKE[n mod entries] is the
//                         doorbell of whoever drew it. The one who waits stores WAKE, then loads OPEN; the one who ends does both the
//                         other way round ([A]): either the one sees that it may begin, or the other sees its doorbell. Where NEXT has
//                         not passed n nobody waits, and whoever draws n afterwards sees OPEN above it ([B]).
//   WAKE is long enough   a thread has one number at a time, and no number behind n is admitted before n is. So until then the numbers
//                         from n on that are drawn belong to different threads, and n + entries, with as many entries as threads or
//                         more, is not among them. What an entry holds afterwards is a doorbell that rings once too often.
//
// One line for all of them, and one addition to it as a job begins and another as it ends: none a fault.
//
// Ordering.
//   [A] asked: WAKE, then OPEN    pairs with  end: OPEN, then WAKE
//   [B] asked: NEXT, then OPEN    pairs with  end: OPEN, then NEXT
import { checkInteger } from '@faultline/core/errors';
import { Doorbell, LINE, type Words } from '@faultline/core/sync';

const NEXT = 0; // the number that nobody has drawn; wraps
const OPEN = 1; // numbers below this may begin; wraps
const PLACES = 2; // as granted, 0: no limit
const WAKE: number = LINE; // by number mod entries: the doorbell of who drew it

/** A power of two, so that entries go on in turn where numbers wrap. */
function entriesFor(threads: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(LINE, threads)));
}

/** Words for so many device threads. */
export function admissionWords(threads: number): number {
  return WAKE + entriesFor(threads);
}

/** Grants places: what the side of the fault path does before any device begins. @param places jobs at once, 0: no limit.
 * @throws IommuError EINVAL */
export function grantPlaces(words: Words, base: number, places: number): void {
  checkInteger('grantPlaces', 'places', places, 0, 2 ** 30);
  Atomics.store(words, base + NEXT, 0);
  Atomics.store(words, base + OPEN, places);
  Atomics.store(words, base + PLACES, places);
}

/** @returns jobs at once, 0: no limit. */
export function grantedPlaces(words: Words, base: number): number {
  return Atomics.load(words, base + PLACES);
}

/** @returns places that have not come back: of jobs under way, and of numbers in line. */
export function placesOut(words: Words, base: number): number {
  const held = Atomics.load(words, base + OPEN) - Atomics.load(words, base + NEXT);
  return (grantedPlaces(words, base) - held) | 0;
}

/** A device thread's end: at most one number at a time. */
export class Admission {
  readonly #words: Words;
  readonly #base: number;
  readonly #mask: number;
  readonly #wake: number;
  #number = 0;

  /** @param threads device threads that share the places. @param wake the doorbell that the thread's worker sleeps on. */
  constructor(words: Words, base: number, threads: number, wake: number) {
    checkInteger('Admission', 'base', base, LINE, words.length - admissionWords(threads));
    this.#words = words;
    this.#base = base;
    this.#mask = entriesFor(threads) - 1;
    this.#wake = wake;
  }

  /** Takes a place, or the next one in line: then the doorbell rings when it is there. Every call is followed by one of {@link end}.
   * @returns whether the job may begin now. */
  ask(): boolean {
    this.#number = Atomics.add(this.#words, this.#base + NEXT, 1); // [B]
    if (this.isAdmitted()) return true;
    Atomics.store(this.#words, this.#entry(this.#number), this.#wake); // [A]
    return this.isAdmitted();
  }

  /** Whether the job that was asked for may begin. */
  isAdmitted(): boolean {
    return ((Atomics.load(this.#words, this.#base + OPEN) - this.#number) | 0) > 0;
  }

  /** Gives the place back, and lets in who is next. Who leaves the line before it was let in moves it up all the same: only where
   * nobody begins any more. */
  end(): void {
    const admitted = Atomics.add(this.#words, this.#base + OPEN, 1); // [A], [B]
    if (((Atomics.load(this.#words, this.#base + NEXT) - admitted) | 0) <= 0) return; // [B]
    const wake = Atomics.load(this.#words, this.#entry(admitted)); // [A]
    if (wake !== 0) new Doorbell(this.#words, wake).ring();
  }

  #entry(number: number): number {
    return this.#base + WAKE + (number & this.#mask);
  }
}
