// What a processor runs. A step's effects on what others see happen as the step begins; it then takes the time that it returns.

/** Returned by {@link Thread.step}: nothing to do until somebody wakes the thread. */
export const SLEEP = -1;
/** Returned by {@link Thread.step}: keeps the processor, looking, until somebody pokes the thread. */
export const POLL = -2;

export const ASLEEP = 0;
export const READY = 1;
export const RUNNING = 2;
export const POLLING = 3;

/** Whose time it was: busy time is kept apart by these. */
export const ROLES = ['device', 'hardware', 'interrupt', 'handler'] as const;
export type Role = (typeof ROLES)[number];

export abstract class Thread {
  readonly role: number;
  /** Of the real-time class: goes ahead of all others, and is not stopped. */
  readonly isUrgent: boolean;
  state: number = ASLEEP;
  /** The processor that it runs on, waits for, or ran on last. */
  cpu = 0;
  /** Time that it ran, as fairness counts it: comparable with those on its processor alone. */
  vruntime = 0;
  /** Since when it polls. */
  since = 0;
  constructor(role: Role, isUrgent = false) {
    this.role = ROLES.indexOf(role);
    this.isUrgent = isUrgent;
  }

  /** Goes on. @returns nanoseconds of processor time until the next step, or SLEEP or POLL. */
  abstract step(now: number): number;
}
