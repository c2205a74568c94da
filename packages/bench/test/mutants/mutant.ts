/** A realistic mistake in a structure, as one replacement in its source. The checker must find it in `scenario`. */
export interface Mutant {
  readonly name: string;
  /** Below `packages`: such as `core/src/sync/mutex.ts`. */
  readonly module: string;
  /** Occurs exactly once in the module. */
  readonly find: string;
  readonly replace: string;
  /** The scenario's name. */
  readonly scenario: string;
  /** The scenario's design; its first one that holds if left out. */
  readonly design?: string;
}
