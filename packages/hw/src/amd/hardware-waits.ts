import { IommuError } from '@faultline/core/errors';
import type { Doorbell, Words } from '@faultline/core/sync';
import { untilPassed } from '../procedure/fence.ts';
import { type Procedure, untilWord } from '../procedure/procedure.ts';
import { AMD_CONTROL_SEEN, AMD_PPR_FENCES, AMD_PPR_PASSED } from './layout.ts';

/** How the driver's procedures wait for somebody else: each wait ends in time, one way or the other. */
export class HardwareWaits {
  readonly #words: Words;
  readonly #base: number;
  readonly #hardware: Doorbell;
  readonly #timeoutMs: number;

  constructor(words: Words, base: number, hardware: Doorbell, timeoutMs: number) {
    this.#words = words;
    this.#base = base;
    this.#hardware = hardware;
    this.#timeoutMs = timeoutMs;
  }

  /** Until the hardware has acted upon write number `write` to its registers. @throws IommuError ETIMEDOUT */
  *seen(call: string, write: number): Procedure {
    this.#hardware.ring();
    const isSeen = (seen: number): boolean => ((seen - write) | 0) >= 0; // [S]
    yield* untilWord(this.#words, `AmdDriver.${call}`, this.#base + AMD_CONTROL_SEEN, isSeen, this.#timeoutMs);
  }

  /** Until the event pump is done with `target` entries. @throws IommuError ETIMEDOUT */
  passed(call: string, target: number): Procedure {
    const [passedAt, fencesAt] = [this.#base + AMD_PPR_PASSED, this.#base + AMD_PPR_FENCES];
    return untilPassed(this.#words, `AmdDriver.${call}`, passedAt, fencesAt, target, this.#timeoutMs);
  }

  /** When what begins now has taken too long. */
  deadline(): number {
    return performance.now() + this.#timeoutMs;
  }

  /** @throws IommuError ETIMEDOUT once `deadline` is over */
  check(call: string, deadline: number): void {
    if (performance.now() >= deadline)
      throw new IommuError('ETIMEDOUT', `AmdDriver.${call}`, 'timeoutMs', this.#timeoutMs, 'nobody answered');
  }
}
