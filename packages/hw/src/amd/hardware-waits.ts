import { IommuError } from '@faultline/core/errors';
import type { Doorbell, Words } from '@faultline/core/sync';
import { hardwareHasSeen } from './control.ts';
import { AMD_CONTROL_SEEN } from './layout.ts';
import type { Procedure } from './procedure.ts';

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
    yield* this.until(call, this.#base + AMD_CONTROL_SEEN, () => hardwareHasSeen(this.#words, this.#base, write));
  }

  /** Until `isTrue`, which is asked whenever the word at `at` has changed, and now and then. @throws IommuError ETIMEDOUT */
  *until(call: string, at: number, isTrue: () => boolean): Procedure {
    for (const deadline = this.deadline(); ; ) {
      const seen = Atomics.load(this.#words, at);
      if (isTrue()) return;
      this.check(call, deadline);
      yield { at, seen };
    }
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
