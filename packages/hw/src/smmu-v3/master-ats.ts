/** What the driver does at the function itself. AtsCapability of ../pcie has it. */
export interface AtsControl {
  enable(pageLg2: number): void;
  disable(): void;
}

/** Drops what the function has cached of a PASID, or with -1 of everything, and waits for that. */
export type FlushAtc = (pasid: number) => Promise<void>;

const EVERYTHING = -1;

/** ATS of one master's function, in step with its stream table entry: off at the function before EATS goes, on after it has come. */
export class MasterAts {
  readonly #control: AtsControl | undefined;
  readonly #flush: FlushAtc;
  readonly #pageLg2: number;
  #on = false;
  #stale = false; // off at the function, and its cache is not dropped yet

  constructor(control: AtsControl | undefined, flush: FlushAtc, pageLg2: number) {
    this.#control = control;
    this.#flush = flush;
    this.#pageLg2 = pageLg2;
  }

  get on(): boolean {
    return this.#on;
  }

  /** Before the entry changes. */
  prepare(wanted: boolean): void {
    if (wanted || !this.#on) return;
    this.#control?.disable();
    this.#on = false;
    this.#stale = true;
  }

  /** After the entry has changed. On: everything the function may have is dropped first. Stays: what it had of this PASID is old. Off:
   * everything is. @throws IommuError ETIMEDOUT: the next one makes up for it. */
  async commit(wanted: boolean, pasid: number): Promise<void> {
    if (!wanted && !this.#stale) return;
    await this.#flush(wanted && this.#on ? pasid : EVERYTHING);
    this.#stale = false;
    if (!wanted || this.#on) return;
    this.#control?.enable(this.#pageLg2);
    this.#on = true;
  }

  /** Instead of {@link commit}: the entry is what it was. @throws IommuError ETIMEDOUT, likewise */
  async restore(): Promise<void> {
    if (this.#stale) await this.commit(true, EVERYTHING);
  }
}
