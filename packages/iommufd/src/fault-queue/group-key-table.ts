// The device's own number for a group as what user space answers by, as the first drafts of Linux' fault object had it. Unsafe: kept
// to show why, and to measure what it would have saved.
//
// The number comes from the hardware, and nothing makes it unique. A device that uses one again while its group is unanswered has two
// groups under one key. As in the draft, which compared and exchanged, and took what it found in the slot for success, the second
// is delivered and stored nowhere: the first answer goes to the first group, whichever was meant, the second is refused, and the
// second group is never answered: its requests leak, and detach does not find them either. Where the later one is stored instead, the
// answer meant for the first goes to the second. And user space may answer what it was never told of, by guessing nine bits.
// @see the review of 22 March 2024, "iommufd: Add iommufd fault object", v3 4/8: hardware must not be trusted with unique numbers
import { checkInteger } from '@faultline/core/errors';
import { FAULT_DEVICE, FAULT_GRPID, type IopfSystem, REQUEST_WORDS } from '@faultline/core/iopf';
import type { Words } from '@faultline/core/sync';
import type { GroupKeys } from './group-keys.ts';

/** Bits of a page request group's index. @see PCIe Base Specification 10.4.1 */
const GROUP_ID_BITS = 9;

/** Words of a table: one a device and group id. */
export function groupKeyTableWords(devices: number): number {
  return (devices + 1) << GROUP_ID_BITS;
}

/** In place of cookies (`FaultQueueParts.keys`). Never where a device is not trusted. */
export class GroupKeyTable implements GroupKeys {
  readonly slots: number;
  readonly #words: Words;
  readonly #base: number;
  readonly #objects: number;

  /** @param base of {@link groupKeyTableWords} zeroed words. */
  constructor({ words, config, requests }: IopfSystem, base: number) {
    this.slots = groupKeyTableWords(config.devices) - 1;
    this.#words = words;
    this.#base = base;
    this.#objects = requests.objects;
  }

  /** @throws IommuError EINVAL a group id of more than 9 bits: not PCIe's. */
  reserve(group: number): number {
    const at = this.#objects + group * REQUEST_WORDS;
    const grpid = this.#words[at + FAULT_GRPID];
    checkInteger('GroupKeyTable.reserve', 'grpid', grpid, 0, (1 << GROUP_ID_BITS) - 1);
    return (this.#words[at + FAULT_DEVICE] << GROUP_ID_BITS) | grpid;
  }

  publish(key: number, group: number): void {
    Atomics.compareExchange(this.#words, this.#base + key, 0, group);
  }

  /** Nothing was set aside: the number is the device's. */
  abort(_key: number): void {}

  redeem(key: number): number {
    return key >= 1 && key <= this.slots ? Atomics.exchange(this.#words, this.#base + key, 0) : 0;
  }

  heldAt(slot: number): number {
    return Atomics.load(this.#words, this.#base + slot);
  }

  groupOf(_slot: number, held: number): number {
    return held;
  }

  redeemSlot(slot: number, held: number): boolean {
    return Atomics.compareExchange(this.#words, this.#base + slot, held, 0) === held;
  }
}
