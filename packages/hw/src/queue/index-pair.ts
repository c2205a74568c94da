// Producer and consumer index of a hardware queue, as SMMUv3 defines them (IHI 0070, 3.5).
// For 2^n entries: index in bits [n-1:0], wrap in bit n, bits [19:n+1] ignored, overflow (PROD) or its acknowledgement (CONS) in bit 31.
// Same index and same wrap is empty; same index and different wrap is full, so all 2^n entries are usable.
//
// Seen as one number, index and wrap count entries modulo 2^(n+1), and PROD - CONS is the entries in use.
// A pair that says more than 2^n are in use is inconsistent: software wrote nonsense. It is treated as full: nobody produces into it,
// and a consumer takes nothing from it.

/** Bit 31: OVFLG in PROD, OVACKFLG in CONS. */
export const QUEUE_OVERFLOW: number = 1 << 31;

/** Index and wrap bit of `register`, without the overflow bit and without the ignored bits. */
export function queueIndex(register: number, log2: number): number {
  return register & ((2 << log2) - 1);
}

/** Number of the entry that `register` points at, from 0. */
export function queueSlot(register: number, log2: number): number {
  return register & ((1 << log2) - 1);
}

/** `register`'s index and wrap, `entries` further on. The overflow bit is dropped: who owns it adds it back. */
export function queueAdvance(register: number, entries: number, log2: number): number {
  return (register + entries) & ((2 << log2) - 1);
}

/** PROD - CONS, modulo 2^(n+1). More than 2^n: the pair is inconsistent. */
export function queueDistance(prod: number, cons: number, log2: number): number {
  return (prod - cons) & ((2 << log2) - 1);
}

export function queueConsistent(prod: number, cons: number, log2: number): boolean {
  return queueDistance(prod, cons, log2) <= 1 << log2;
}

export function queueEmpty(prod: number, cons: number, log2: number): boolean {
  return queueDistance(prod, cons, log2) === 0;
}

/** Full, or inconsistent: either way nothing may be produced. */
export function queueFull(prod: number, cons: number, log2: number): boolean {
  return queueDistance(prod, cons, log2) >= 1 << log2;
}

/** Entries that may be produced. 0 for an inconsistent pair. */
export function queueSpace(prod: number, cons: number, log2: number): number {
  const used = queueDistance(prod, cons, log2);
  return used > 1 << log2 ? 0 : (1 << log2) - used;
}

/** Entries that may be consumed. 0 for an inconsistent pair. */
export function queueUsed(prod: number, cons: number, log2: number): number {
  const used = queueDistance(prod, cons, log2);
  return used > 1 << log2 ? 0 : used;
}

/** Whether an overflow is reported and not yet acknowledged: OVFLG differs from OVACKFLG. */
export function queueOverflowed(prod: number, cons: number): boolean {
  return (prod ^ cons) < 0;
}
