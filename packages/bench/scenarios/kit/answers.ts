// A driver that counts what it is told to answer: one word a device, group id and code. What the hardware would have been told.
import type { Context, Region } from '@faultline/bench/explore';
import { FAULT_DEVICE, FAULT_GRPID, type IommuOps, type ResponseCode } from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import { objectNames } from './names.ts';

const REGION = 'answers';
const GRPIDS = 16;
const CODES = ['Success', 'Invalid', 'Failure'] as const;

/** The words that answers are counted in. Group ids are 0 to 15. */
export function answersRegion(devices: number): Region {
  const codes = { SUCCESS: 0, INVALID: 1, FAILURE: 2 };
  const groups = objectNames(codes, 0, GRPIDS - 1, 0, CODES.length);
  const deviceWords = GRPIDS * CODES.length;
  return {
    name: REGION,
    words: (devices + 1) * deviceWords,
    fields: objectNames(groups, 1, devices, deviceWords, deviceWords),
  };
}

export class CountingOps implements IommuOps {
  readonly #words: Words;
  readonly #at: number;

  constructor(words: Words, at: number) {
    this.#words = words;
    this.#at = at;
  }

  pageResponse(recordAt: number, code: ResponseCode): void {
    const group = this.#words[recordAt + FAULT_DEVICE] * GRPIDS + this.#words[recordAt + FAULT_GRPID];
    Atomics.add(this.#words, this.#at + group * CODES.length + code, 1);
  }
  flushResponses(): void {}
}

/** How often a group has been answered so far. */
export function answersTo({ words, at }: Context, device: number, grpid: number): number {
  let count = 0;
  for (let code = 0; code < CODES.length; code++)
    count += Atomics.load(words, answerAt(at(REGION), device, grpid) + code);
  return count;
}

/** As an outcome: `answered Success`, `Invalid` or `Failure`, `never answered`, `answered twice`, `answered 3 times` and so on. */
export function answerOutcome(context: Context, device: number, grpid: number): string {
  const count = answersTo(context, device, grpid);
  if (count === 0) return 'never answered';
  if (count > 1) return count === 2 ? 'answered twice' : `answered ${count} times`;
  const first = answerAt(context.at(REGION), device, grpid);
  return `answered ${CODES.find((_, code) => context.words[first + code] === 1)}`;
}

function answerAt(base: number, device: number, grpid: number): number {
  return base + (device * GRPIDS + grpid) * CODES.length;
}
