/** Takes what a dirty sweep finds. */
export interface DirtySink {
  /** The range is dirty: bytes, the last one included. May reach past what was asked for: a leaf is dirty as a whole. */
  mark(first: bigint, last: bigint): void;
}
