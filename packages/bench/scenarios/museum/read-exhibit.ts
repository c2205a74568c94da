// An exhibit of iommufd's files: what one call answers, in a small copy with the bug, in one without it, and in ours. One thread, one
// schedule: these bugs need no other.
import { type Region, type Scenario, scenario } from '@faultline/bench/explore';
import { IommuError } from '@faultline/core/errors';
import type { IommuSystem, IommuThread } from '../kit/iommu-machine.ts';
import { type Fix, sourceOf } from './fix.ts';
import { type Fields, Kernel, kernelMemory } from './kernel.ts';

const FAULTLINE = 'faultline';
const FAULTY = 'as in 7.1';
const FIXED = 'as fixed in 7.2';

/** As a system call answers: a count, or one of these. */
export const EFAULT = -14;
export const EINVAL = -22;
export const ENOMEM = -12;
const ERRNOS: Readonly<Record<string, number>> = { EFAULT, EINVAL, ENOMEM };

export interface ReadExhibit {
  readonly name: string;
  readonly about: string;
  readonly fix: Fix;
  /** Words of the copy, and what its setup allocates. */
  readonly shared: Fields;
  readonly objects: Readonly<Record<string, Fields>>;
  setup(kernel: Kernel): void;
  /** The call, with and without the fix. @returns its answer. */
  copy(kernel: Kernel, faulty: boolean): number;
  /** What the call must answer. */
  readonly answer: number;
  readonly ours: {
    readonly system: IommuSystem;
    setup(first: IommuThread): void;
    call(me: IommuThread): number;
    /** Default: as the copy. */
    readonly answer?: number;
  };
}

/** The errno that a call of ours is refused with, or its answer. */
function answerOf(call: () => number): number {
  try {
    return call();
  } catch (error) {
    if (error instanceof IommuError && error.code in ERRNOS) return ERRNOS[error.code];
    throw error;
  }
}

export function readExhibit(url: string, spec: ReadExhibit): Scenario {
  const { ours } = spec;
  return scenario(url, {
    name: `museum/${spec.name}`,
    about: spec.about,
    source: sourceOf(spec.fix),
    designs: { [FAULTY]: 'fails', [FIXED]: 'holds', [FAULTLINE]: 'holds' },
    memory: (design): readonly Region[] =>
      design === FAULTLINE ? ours.system.memory() : kernelMemory(spec.shared, spec.objects),
    setup(context) {
      if (context.design === FAULTLINE) ours.system.setup((first) => ours.setup(first))(context);
      else Kernel.setup(context, (kernel) => spec.setup(kernel));
    },
    threads: {
      reader: {
        open(context): () => number {
          if (context.design === FAULTLINE) {
            const me = ours.system.open(context);
            return () => answerOf(() => ours.call(me));
          }
          const kernel = new Kernel(context, context.self);
          return () => spec.copy(kernel, context.design === FAULTY);
        },
        run: (_context, call: () => number) => call(),
      },
    },
    check({ design, results }) {
      const expected = (design === FAULTLINE ? ours.answer : undefined) ?? spec.answer;
      if (results.reader !== expected) throw new Error(`the call answers ${results.reader}, not ${expected}`);
    },
  });
}
