import { checkInteger, ERRNO, IommuError } from '@faultline/core/errors';
import type { ThreadSelf } from '@faultline/core/sync';
import {
  CMD_ATC_INV,
  CMD_CFGI_CD,
  CMD_CFGI_CD_ALL,
  CMD_TLBI_NH_ALL,
  CMD_TLBI_NH_ASID,
  CMD_TLBI_NH_VA,
  CMD_TLBI_NH_VAA,
  CMD_TLBI_NSNH_ALL,
  COMMAND_WORDS,
} from '../commands.ts';
import type { SmmuOps } from '../smmu-ops.ts';
import { MASTER_SID, type VirtualArea } from './layout.ts';
import type { VdeviceLookUp } from './viommu.ts';
import { vsmmuVmid } from './vsmmu.ts';

// A guest's invalidation commands, as its owner hands them to the host: the VMID is made the vSMMU's, a StreamID that the guest uses is made
// the physical one, and everything that is no invalidation is refused.

/** Guest commands between two CMD_SYNC: with it, what fits Linux's batch of 64. */
export const GUEST_BATCH = 63;

/** Where converted commands go: this thread's own command queue. */
export type GuestCommandIssuer = Pick<SmmuOps, 'issueRaw' | 'sync'>;

/** Converts the command at `from` to `to` (which may be the same place): reads each of its words once, so a guest that changes it meanwhile
 * gains nothing. @returns 0, or negative errno EIO: no command for a guest, or a StreamID that names none of its devices.
 * @see Linux arm_vsmmu_convert_user_cmd() */
export function convertGuestCommand(
  area: VirtualArea,
  vdevices: VdeviceLookUp,
  vsmmu: number,
  from: number,
  to: Int32Array,
  at: number,
): number {
  const { words } = area;
  const low = words[from];
  let high = words[from + 1];
  let w1Low = words[from + 2];
  let w1High = words[from + 3];
  let op = low & 0xff;
  let rest = low & ~0xff;
  switch (op) {
    case CMD_TLBI_NSNH_ALL:
      op = CMD_TLBI_NH_ALL;
      high = vsmmuVmid(area, vsmmu);
      rest = w1Low = w1High = 0;
      break;
    case CMD_TLBI_NH_ALL:
    case CMD_TLBI_NH_ASID:
    case CMD_TLBI_NH_VA:
    case CMD_TLBI_NH_VAA:
      high = (high & ~0xffff) | vsmmuVmid(area, vsmmu);
      break;
    case CMD_CFGI_CD:
    case CMD_CFGI_CD_ALL:
    case CMD_ATC_INV: {
      const device = vdevices.findDevice(vsmmu, high >>> 0);
      if (device < 0) return -ERRNO.EIO;
      high = words[area.masterAt('convertGuestCommand', device) + MASTER_SID];
      break;
    }
    default:
      return -ERRNO.EIO;
  }
  to[at] = op | rest;
  to[at + 1] = high;
  to[at + 2] = w1Low;
  to[at + 3] = w1High;
  return 0;
}

/** Issues the invalidations of one vSMMU's guest. One instance a thread, which is one of the vSMMU's users or its owner.
 * @see Linux arm_vsmmu_cache_invalidate() */
export class GuestCommands {
  readonly #area: VirtualArea;
  readonly #vsmmu: number;
  readonly #self: ThreadSelf;
  readonly #vdevices: VdeviceLookUp;
  readonly #issuer: GuestCommandIssuer;
  readonly #command: Int32Array = new Int32Array(COMMAND_WORDS);
  #completed = 0;

  /** @throws IommuError EINVAL for a number that is no vSMMU's. */
  constructor(area: VirtualArea, vsmmu: number, self: ThreadSelf, vdevices: VdeviceLookUp, issuer: GuestCommandIssuer) {
    area.vsmmuAt('GuestCommands', vsmmu);
    this.#area = area;
    this.#vsmmu = vsmmu;
    this.#self = self;
    this.#vdevices = vdevices;
    this.#issuer = issuer;
  }

  /** Commands of the last {@link submit} that are done: issued, and a CMD_SYNC after them completed. */
  get completed(): number {
    return this.#completed;
  }

  /** Carries out `count` commands from word offset `from` on, in order, up to the first bad one, and waits for them.
   * Where Linux gives up with a batch half converted, this finishes what came before the bad command: {@link completed} is never more
   * than what was done.
   * @returns 0, or negative errno: EIO see {@link convertGuestCommand}, ETIMEDOUT the hardware stands still. @throws IommuError EINVAL
   * Context: may block. */
  submit(from: number, count: number): number {
    this.#completed = 0;
    checkInteger('GuestCommands.submit', 'from', from, 0, this.#area.words.length);
    const room = Math.floor((this.#area.words.length - from) / COMMAND_WORDS);
    checkInteger('GuestCommands.submit', 'count', count, 0, room);
    try {
      return this.#issue(from, count);
    } catch (error) {
      if (error instanceof IommuError && error.code === 'ETIMEDOUT') return -error.errno;
      throw error;
    }
  }

  #issue(from: number, count: number): number {
    for (let done = 0; done < count; ) {
      const command = this.#command;
      const result = convertGuestCommand(
        this.#area,
        this.#vdevices,
        this.#vsmmu,
        from + done * COMMAND_WORDS,
        command,
        0,
      );
      if (result === 0) {
        this.#issuer.issueRaw(command[0], command[1], command[2], command[3]);
        done++;
      }
      const batch = done - this.#completed;
      if (batch > 0 && (result !== 0 || done === count || batch === GUEST_BATCH)) {
        this.#issuer.sync(this.#self);
        this.#completed = done;
      }
      if (result !== 0) return result;
    }
    return 0;
  }
}
