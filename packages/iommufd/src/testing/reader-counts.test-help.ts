/** Offsets in the region `test.counts`. */
export const DELIVERED = 0;
export const VOID = 1;
export const REFUSED = 2;
export const STOP = 3;
