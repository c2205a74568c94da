/** A page's state, as PTEs tell it. */
export const ABSENT = 0;
export const PRESENT = 1;
/** Taken by the scanner: its contents are there. */
export const TAKEN = 2;

/** The pages of all device threads, one area each. */
export class Pages {
  readonly states: Uint8Array;
  /** Scanner rounds that a page is left alone yet. */
  readonly pins: Uint8Array;
  readonly pinRounds: number;
  /** Pages that are present or taken: the resident set. */
  resident = 0;

  /** @param isFilled whether the process has written its buffers before the first job: all pages are present then. */
  constructor(pages: number, pinRounds: number, isFilled: boolean) {
    this.states = new Uint8Array(pages);
    if (isFilled) {
      this.states.fill(PRESENT);
      this.resident = pages;
    }
    this.pins = new Uint8Array(pages);
    this.pinRounds = pinRounds;
  }

  /** A fault made it present. */
  answer(page: number): void {
    if (this.states[page] === ABSENT) this.resident++;
    this.states[page] = PRESENT;
    this.pins[page] = this.pinRounds;
  }

  /** The device's access. @returns whether the page is there. */
  touch(page: number): boolean {
    if (this.states[page] !== PRESENT) return false;
    this.pins[page] = 0;
    return true;
  }

  /** @returns how many were resident. */
  discard(first: number, count: number): number {
    let gone = 0;
    for (let page = first; page < first + count; page++) {
      if (this.states[page] === ABSENT) continue;
      this.states[page] = ABSENT;
      this.pins[page] = 0;
      gone++;
    }
    this.resident -= gone;
    return gone;
  }

  /** The scanner looks at it. @returns whether it took the page. */
  take(page: number): boolean {
    if (this.states[page] !== PRESENT) return false;
    if (this.pins[page] > 0) {
      this.pins[page]--;
      return false;
    }
    this.states[page] = TAKEN;
    return true;
  }
}
