import type { ModelConfig } from './config.ts';
import { MAX_PROCESSORS } from './machine/processors.ts';

/** What may make 512 threads time out. */
export const SUSPECT_NAMES = [
  'scanner',
  'sharedProcessors',
  'activeLimit',
  'oneInterruptThread',
  'locksAndSearch',
  'mmapLock',
  'invalidations',
] as const;
export type Suspect = (typeof SUSPECT_NAMES)[number];

export interface SuspectRemoval {
  /** What is changed. */
  readonly text: string;
  /** Takes the suspect out. Those of several compose, in any order. */
  readonly remove: (config: ModelConfig) => ModelConfig;
}

/** More handlers than any outstanding fault of these machines keeps busy. */
const UNLIMITED = 1024;
const MANY_INTERRUPT_THREADS = 16;
/** Interrupt threads, and the hardware's. */
const OTHERS = 32;

export const SUSPECTS: Readonly<Record<Suspect, SuspectRemoval>> = {
  scanner: {
    text: 'no page scanner',
    remove: (config) => ({ ...config, scanner: { kind: 'none' } }),
  },
  sharedProcessors: {
    text: 'a processor of its own for each thread',
    remove: (config) => ({
      ...config,
      processors: Math.min(MAX_PROCESSORS, config.threads + Math.max(config.handlers, UNLIMITED) + OTHERS),
    }),
  },
  activeLimit: {
    text: `no limit on active workers, ${UNLIMITED} handlers`,
    remove: (config) => ({
      ...config,
      handlers: Math.max(config.handlers, UNLIMITED),
      maxActive: Math.max(config.maxActive, UNLIMITED),
    }),
  },
  oneInterruptThread: {
    text: `${MANY_INTERRUPT_THREADS} interrupt threads an event queue`,
    remove: (config) => ({
      ...config,
      interruptThreads: MANY_INTERRUPT_THREADS,
      adaptive: { ...config.adaptive, interruptPumps: MANY_INTERRUPT_THREADS },
    }),
  },
  locksAndSearch: {
    text: 'locks of the fault path exclude nobody, and answers are found without a search',
    remove: (config) => ({ ...config, locks: false }),
  },
  mmapLock: {
    text: 'the mmap lock costs nothing and excludes nobody',
    remove: (config) => ({ ...config, mmapLock: false }),
  },
  invalidations: {
    text: 'a change of mappings costs no invalidation and waits for none',
    remove: (config) => ({ ...config, invalidations: false }),
  },
};

/** Takes out what `config.remove` names. */
export function withoutSuspects(config: ModelConfig): ModelConfig {
  const { remove = [], ...rest } = config;
  return remove.reduce((left: ModelConfig, name) => SUSPECTS[name].remove(left), rest);
}
