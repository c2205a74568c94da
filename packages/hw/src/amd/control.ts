import type { Words } from '@faultline/core/sync';
import {
  AMD_CMD_STARTS,
  AMD_CONTROL,
  AMD_CONTROL_SEEN,
  AMD_CONTROL_WRITES,
  AMD_EVT_STARTS,
  AMD_PPR_STARTS,
  AMD_STATUS,
} from './layout.ts';
import { CONTROL_CMDBUF_EN, CONTROL_EVTLOG_EN, CONTROL_PPRLOG_EN, STATUS_W1C } from './registers.ts';

// Software's way to the registers. Any thread may use it.
//
// Ordering.
//   [W] here: the registers, then CONTROL_WRITES           pairs with  AmdHardware: CONTROL_WRITES, then the registers
//   [S] AmdHardware: STATUS and the rings, then CONTROL_SEEN    pairs with  whoever waits: CONTROL_SEEN, then STATUS

/** Sets bits of CONTROL; a ring's enable bit that was 0 starts the ring. @returns the write's number, for {@link hardwareHasSeen}. */
export function setControl(words: Words, base: number, bits: number, highBits: number = 0): number {
  const was = Atomics.or(words, base + AMD_CONTROL, bits);
  if (highBits !== 0) Atomics.or(words, base + AMD_CONTROL + 1, highBits);
  const rising = bits & ~was;
  if ((rising & CONTROL_CMDBUF_EN) !== 0) Atomics.add(words, base + AMD_CMD_STARTS, 1);
  if ((rising & CONTROL_EVTLOG_EN) !== 0) Atomics.add(words, base + AMD_EVT_STARTS, 1);
  if ((rising & CONTROL_PPRLOG_EN) !== 0) Atomics.add(words, base + AMD_PPR_STARTS, 1);
  return noteWrite(words, base);
}

/** Clears bits of CONTROL. @returns the write's number. */
export function clearControl(words: Words, base: number, bits: number, highBits: number = 0): number {
  Atomics.and(words, base + AMD_CONTROL, ~bits);
  if (highBits !== 0) Atomics.and(words, base + AMD_CONTROL + 1, ~highBits);
  return noteWrite(words, base);
}

/** Says that registers other than CONTROL were written. @returns the write's number. */
export function noteWrite(words: Words, base: number): number {
  return (Atomics.add(words, base + AMD_CONTROL_WRITES, 1) + 1) | 0; // [W]
}

/** Whether the hardware has acted upon write number `write`: until then STATUS says nothing about it. */
export function hardwareHasSeen(words: Words, base: number, write: number): boolean {
  return ((Atomics.load(words, base + AMD_CONTROL_SEEN) - write) | 0) >= 0; // [S]
}

/** Writes 1 to bits of STATUS: those that this clears are cleared, the others are not touched. */
export function clearStatus(words: Words, base: number, bits: number): void {
  Atomics.and(words, base + AMD_STATUS, ~(bits & STATUS_W1C));
}

/** Restarts a log that stopped at an overflow: disable, clear the overflow, enable. A log that runs, or is off, is left alone.
 * The enable bit is written 0 first because real hardware does not resume without.
 * @see Linux amd_iommu_restart_log() */
export function restartLog(
  words: Words,
  base: number,
  enable: number,
  interrupt: number,
  run: number,
  overflow: number,
): boolean {
  if ((Atomics.load(words, base + AMD_CONTROL) & enable) === 0) return false;
  if ((Atomics.load(words, base + AMD_STATUS) & run) !== 0) return false;
  clearControl(words, base, enable | interrupt);
  clearStatus(words, base, overflow);
  setControl(words, base, interrupt);
  setControl(words, base, enable);
  return true;
}
