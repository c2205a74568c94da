/** What user space answers a group by: a number that it was handed with the group. Reserved, published, aborted under the queue's lock;
 * redeemed by any thread, without one. */
export interface GroupKeys {
  /** Slots are 1 to this. */
  readonly slots: number;
  /** Sets a key aside that names nothing yet: {@link publish} it, or {@link abort}. */
  reserve(group: number): number;
  /** From here on a reserved key is the group's. */
  publish(key: number, group: number): void;
  /** Takes a reserved key back: it was never good. */
  abort(key: number): void;
  /** Takes a key back. Any number may be asked. @returns its group, which is the caller's now, or 0: the key is nobody's. */
  redeem(key: number): number;
  /** What a slot holds, 0 for nothing: for {@link groupOf} and {@link redeemSlot}. */
  heldAt(slot: number): number;
  groupOf(slot: number, held: number): number;
  /** Takes the key back that `held` stands for, if it is still out. */
  redeemSlot(slot: number, held: number): boolean;
}
