// What the core's books do not tell: how many groups were reported, and whose requests and answers they were. A line a control thread,
// that thread its only writer; read when all have left the cell.
import type { FaultPath, FaultReporter, IommuOps, ResponseCode } from '@faultline/core/iopf';
import { FAULT_DEVICE, FAULT_FLAG_LAST_PAGE, FAULT_FLAGS, FAULT_TOKEN } from '@faultline/core/iopf';
import type { Arena } from '@faultline/core/memory';
import { LINE, type Words } from '@faultline/core/sync';

export const TALLY_REGION = 'tally';
const REQUESTS = 0; // page requests reported
const GROUPS = 1; // of these, the last ones of their groups
const HOSTILE_REQUESTS = 2; // the hostile device's share of these
const HOSTILE_GROUPS = 3;
const HOSTILE_CODES = 4; // answers that the core gave it, by code
const OWN_ANSWERS = 7; // answers that the driver gave without the core

export interface Tally {
  readonly requests: number;
  readonly groups: number;
  readonly hostile: { readonly requests: number; readonly groups: number; readonly answered: number };
  readonly ownAnswers: number;
}

export function tallyWords(threads: number): number {
  return (threads + 1) * LINE;
}

export function initTally(arena: Arena): void {
  const base = arena.base(TALLY_REGION);
  arena.words.fill(0, base, base + arena.sizeWords(TALLY_REGION));
}

/** Context: all threads have left the cell. */
export function readTally(arena: Arena): Tally {
  const base = arena.base(TALLY_REGION);
  const sum = (field: number): number => {
    let total = 0;
    for (let row = base; row < base + arena.sizeWords(TALLY_REGION); row += LINE)
      total += arena.words[row + field] >>> 0;
    return total;
  };
  return {
    requests: sum(REQUESTS),
    groups: sum(GROUPS),
    hostile: {
      requests: sum(HOSTILE_REQUESTS),
      groups: sum(HOSTILE_GROUPS),
      answered: sum(HOSTILE_CODES) + sum(HOSTILE_CODES + 1) + sum(HOSTILE_CODES + 2),
    },
    ownAnswers: sum(OWN_ANSWERS),
  };
}

function rowOf(arena: Arena, thread: number): number {
  return arena.base(TALLY_REGION) + thread * LINE;
}

/** Counts the answers that the driver's pump gives by itself. */
export function tallyOwnAnswers(arena: Arena, thread: number): () => void {
  const at = rowOf(arena, thread) + OWN_ANSWERS;
  return () => void arena.words[at]++;
}

/** A fault path that counts what is reported to it. @param hostile a device's number, 0: none */
export class TallyReporter implements FaultReporter, Pick<FaultPath, 'discardPartial'> {
  readonly #path: FaultPath;
  readonly #words: Words;
  readonly #row: number;
  readonly #hostile: number;

  constructor(path: FaultPath, arena: Arena, thread: number, hostile: number) {
    this.#path = path;
    this.#words = arena.words;
    this.#row = rowOf(arena, thread);
    this.#hostile = hostile;
  }

  prepareFault(): number {
    return this.#path.prepareFault();
  }
  reportDeviceFault(recordAt: number): number {
    const words = this.#words;
    const isLast = (words[recordAt + FAULT_FLAGS] & FAULT_FLAG_LAST_PAGE) !== 0;
    words[this.#row + REQUESTS]++;
    if (isLast) words[this.#row + GROUPS]++;
    if (words[recordAt + FAULT_DEVICE] === this.#hostile) {
      words[this.#row + HOSTILE_REQUESTS]++;
      if (isLast) words[this.#row + HOSTILE_GROUPS]++;
    }
    return this.#path.reportDeviceFault(recordAt);
  }
  endBatch(): void {
    this.#path.endBatch();
  }
  discardPartial(device: number): number {
    return this.#path.discardPartial(device);
  }
}

/** A way to answer that counts what the hostile device is answered. TOKEN of a PCIe family's record is the requester id: the device's number. */
export class TallyOps implements IommuOps {
  readonly #ops: IommuOps;
  readonly #words: Words;
  readonly #row: number;
  readonly #hostile: number;

  constructor(ops: IommuOps, arena: Arena, thread: number, hostile: number) {
    this.#ops = ops;
    this.#words = arena.words;
    this.#row = rowOf(arena, thread);
    this.#hostile = hostile;
  }

  pageResponse(recordAt: number, code: ResponseCode): void {
    if (this.#words[recordAt + FAULT_TOKEN] === this.#hostile) this.#words[this.#row + HOSTILE_CODES + code]++;
    this.#ops.pageResponse(recordAt, code);
  }
  flushResponses(): void {
    this.#ops.flushResponses();
  }
}
