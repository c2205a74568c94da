import { checkInteger } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import { queueAdvance, queueIndex, queueSlot, queueUsed } from '../../queue/index.ts';
import {
  CMD_ATC_INV,
  CMD_SYNC,
  CMD_TLBI_NH_ASID,
  CMD_TLBI_NH_VA,
  COMMAND_WORDS,
  SYNC_NONE,
  syncSignal,
} from '../commands.ts';
import { CERROR_ILL, GERROR_CMDQ } from '../registers.ts';
import {
  VCMDQ_BASE,
  VCMDQ_CONFIG,
  VCMDQ_CONS,
  VCMDQ_GERROR,
  VCMDQ_GERRORN,
  VCMDQ_LOG2,
  VCMDQ_PROD,
  VCMDQ_STATUS,
  type VirtualArea,
} from './layout.ts';
import { SidMatch } from './sid-match.ts';
import { VCMDQ_EN } from './vcmdq.ts';
import { vsmmuVmid } from './vsmmu.ts';

// The hardware's end of virtual command queues. A guest's queue may contain TLBI_NH_ASID, TLBI_NH_VA, ATC_INV and CMD_SYNC without a signal,
// which is what Linux puts into a queue that is not the hypervisor's; the VMID is made the interface's, and StreamIDs are replaced by the
// match table. Unverified, as no hardware documentation is public: that anything else, a CMD_SYNC with a signal, and a StreamID without a
// match raise CERROR_ILL.
//
// Ordering. Besides what vcmdq.ts names:
//   [P] guest: entries, then PROD                pairs with  [C] pump: PROD, then entries
//   [R] pump: effects, then CONS                 pairs with  the guest's load of CONS, then entries overwritten
//   [E] pump: CONS with ERR, then GERROR         pairs with  the guest's load of GERROR, then CONS

/** What became of a command that was handed to {@link VcmdqTarget}. Any other number is a CERROR_*, in its place in CONS. */
export const VCMDQ_DONE = 0;
/** Not yet: it is offered again. */
export const VCMDQ_WAIT = -1;

/** The SMMU behind the queues. */
export interface VcmdqTarget {
  /** Carries out the command in the first four words of `command`: physical StreamID and VMID, anything but CMD_SYNC.
   * @returns VCMDQ_DONE, VCMDQ_WAIT, or CERROR_ILL for one that the SMMU refuses from anybody. */
  execute(command: Int32Array, vsmmu: number, queue: number): number;
  /** A CMD_SYNC of that queue. @returns VCMDQ_DONE when all that was executed is complete, VCMDQ_WAIT, or CERROR_ATC_INV_SYNC. */
  sync(vsmmu: number, queue: number): number;
  /** The queue stands at an error. */
  failed(vsmmu: number, queue: number): void;
  /** The queue is off, or unmapped: whoever has it next is not to be told of what was executed until now. */
  stopped(vsmmu: number, queue: number): void;
}

/** All virtual command queues of an SMMU. One instance, in the hardware host. */
export class VcmdqHardware {
  readonly #queues: VcmdqReader[] = [];
  #next = 0; // whose turn it is, so that a small budget starves none

  /** @param memory where the queues' entries are: as {@link VcmdqConfig.memory}. */
  constructor(area: VirtualArea, target: VcmdqTarget, memory: Words = area.words) {
    for (let vsmmu = 1; vsmmu <= area.vsmmus; vsmmu++)
      for (let queue = 0; queue < area.queues; queue++)
        this.#queues.push(new VcmdqReader(area, target, memory, vsmmu, queue));
  }

  /** Takes up to `budget` commands, and takes note of queues that come and go. @returns how many commands. @throws IommuError EINVAL */
  pump(budget: number): number {
    checkInteger('VcmdqHardware.pump', 'budget', budget, 0, 2 ** 31 - 1);
    const count = this.#queues.length;
    let done = 0;
    for (let i = 0; i < count; i++) {
      const queue = this.#queues[(this.#next + i) % count];
      if (queue.follow()) done += queue.consume(budget - done);
    }
    if (count > 0) this.#next = (this.#next + 1) % count;
    return done;
  }

  /** Whether {@link pump} would get anywhere, looking afresh. */
  needsWork(): boolean {
    for (const queue of this.#queues) if (queue.needsWork()) return true;
    return false;
  }
}

class VcmdqReader {
  readonly #area: VirtualArea;
  readonly #target: VcmdqTarget;
  readonly #memory: Words;
  readonly #vsmmu: number;
  readonly #queue: number;
  readonly #at: number;
  readonly #sids: SidMatch;
  readonly #command: Int32Array = new Int32Array(COMMAND_WORDS);
  #running = false; // as in STATUS
  #entries = 0;
  #log2 = 0;
  #cons = 0;

  constructor(area: VirtualArea, target: VcmdqTarget, memory: Words, vsmmu: number, queue: number) {
    this.#area = area;
    this.#target = target;
    this.#memory = memory;
    this.#vsmmu = vsmmu;
    this.#queue = queue;
    this.#at = area.queueAt('VcmdqReader', vsmmu, queue);
    this.#sids = new SidMatch(area, vsmmu);
  }

  /** Follows CONFIG and BASE. @returns whether the queue runs. */
  follow(): boolean {
    const { words } = this.#area;
    const wanted = this.#isWanted();
    if (wanted === this.#running) return wanted;
    if (!wanted) return this.#stop();
    Atomics.store(words, this.#at + VCMDQ_STATUS, VCMDQ_EN); // [S]
    this.#running = true;
    this.#entries = Atomics.load(words, this.#at + VCMDQ_BASE); // [S] [B]
    if (this.#entries === 0) return this.#stop();
    this.#log2 = words[this.#at + VCMDQ_LOG2];
    this.#cons = queueIndex(Atomics.load(words, this.#at + VCMDQ_CONS), this.#log2);
    return true;
  }

  needsWork(): boolean {
    const wanted = this.#isWanted();
    return wanted !== this.#running || (wanted && this.#available() > 0);
  }

  consume(budget: number): number {
    const memory = this.#memory;
    const count = Math.min(this.#available(), budget);
    let done = 0;
    let result = VCMDQ_DONE;
    while (done < count) {
      const entry = this.#entries + queueSlot(this.#cons, this.#log2) * COMMAND_WORDS;
      for (let i = 0; i < COMMAND_WORDS; i++) this.#command[i] = memory[entry + i]; // once: the guest may write on
      result = this.#execute();
      if (result !== VCMDQ_DONE) break;
      this.#cons = queueAdvance(this.#cons, 1, this.#log2);
      done++;
    }
    if (result !== VCMDQ_DONE && result !== VCMDQ_WAIT) this.#fail(result);
    else if (done > 0) this.#release(0);
    return done;
  }

  #isWanted(): boolean {
    const { words } = this.#area;
    if ((Atomics.load(words, this.#at + VCMDQ_CONFIG) & VCMDQ_EN) === 0) return false;
    return Atomics.load(words, this.#at + VCMDQ_BASE) !== 0;
  }

  #stop(): boolean {
    this.#running = false;
    this.#target.stopped(this.#vsmmu, this.#queue);
    Atomics.store(this.#area.words, this.#at + VCMDQ_STATUS, 0); // [T]
    Atomics.notify(this.#area.words, this.#at + VCMDQ_STATUS);
    return false;
  }

  /** None while an error is not acknowledged, or PROD makes no sense. */
  #available(): number {
    const { words } = this.#area;
    const errors = Atomics.load(words, this.#at + VCMDQ_GERROR) ^ Atomics.load(words, this.#at + VCMDQ_GERRORN);
    if ((errors & GERROR_CMDQ) !== 0) return 0;
    return queueUsed(Atomics.load(words, this.#at + VCMDQ_PROD), this.#cons, this.#log2); // [C]
  }

  #execute(): number {
    const command = this.#command;
    switch (command[0] & 0xff) {
      case CMD_SYNC:
        return syncSignal(command, 0) === SYNC_NONE ? this.#target.sync(this.#vsmmu, this.#queue) : CERROR_ILL;
      case CMD_ATC_INV:
        if (!this.#sids.replace(command[1])) return CERROR_ILL;
        command[1] = this.#sids.streamId;
        break;
      case CMD_TLBI_NH_ASID:
      case CMD_TLBI_NH_VA:
        command[1] = (command[1] & ~0xffff) | vsmmuVmid(this.#area, this.#vsmmu);
        break;
      default:
        return CERROR_ILL;
    }
    return this.#target.execute(command, this.#vsmmu, this.#queue);
  }

  #release(error: number): void {
    Atomics.store(this.#area.words, this.#at + VCMDQ_CONS, this.#cons | error); // [R] [E]
  }

  /** Stops at the command: those before it are done, it is not begun. */
  #fail(error: number): void {
    const { words } = this.#area;
    this.#target.failed(this.#vsmmu, this.#queue);
    this.#release(error);
    Atomics.store(words, this.#at + VCMDQ_GERROR, Atomics.load(words, this.#at + VCMDQ_GERROR) ^ GERROR_CMDQ); // [E]
  }
}
