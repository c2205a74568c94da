import type { AtcUnit } from './atc-unit.ts';
import { COMMAND_DONE, COMMAND_ILLEGAL, COMMAND_TIMED_OUT, type CommandUnit } from './command-unit.ts';
import { CERROR_ATC_INV_SYNC, CERROR_ILL } from './registers.ts';
import { VCMDQ_DONE, VCMDQ_WAIT, type VcmdqTarget } from './virtual/vcmdq-hardware.ts';

/** What virtual command queues have behind them: the SMMU's own command unit, in which each counts as a queue after the host's. */
export class VirtualCommandTarget implements VcmdqTarget {
  readonly #commands: CommandUnit;
  readonly #atc: AtcUnit;
  readonly #hostQueues: number;
  readonly #perVsmmu: number;

  /** @param hostQueues command queues of the host; @param perVsmmu virtual ones of each vSMMU. */
  constructor(commands: CommandUnit, atc: AtcUnit, hostQueues: number, perVsmmu: number) {
    this.#commands = commands;
    this.#atc = atc;
    this.#hostQueues = hostQueues;
    this.#perVsmmu = perVsmmu;
  }

  execute(command: Int32Array, vsmmu: number, queue: number): number {
    return resultOf(this.#commands.execute(command, 0, this.#number(vsmmu, queue)));
  }

  sync(vsmmu: number, queue: number): number {
    return resultOf(this.#commands.executeSync(this.#number(vsmmu, queue)));
  }

  failed(): void {
    this.#commands.noteError();
  }

  stopped(vsmmu: number, queue: number): void {
    this.#atc.leaveBehind(this.#number(vsmmu, queue));
  }

  #number(vsmmu: number, queue: number): number {
    return this.#hostQueues + (vsmmu - 1) * this.#perVsmmu + queue;
  }
}

function resultOf(result: number): number {
  if (result === COMMAND_DONE) return VCMDQ_DONE;
  if (result === COMMAND_ILLEGAL) return CERROR_ILL;
  return result === COMMAND_TIMED_OUT ? CERROR_ATC_INV_SYNC : VCMDQ_WAIT;
}
