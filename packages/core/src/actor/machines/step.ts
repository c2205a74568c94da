import { fromPromise, type PromiseActorLogic } from 'xstate';

/** One step of a protocol: settles once it holds. `signal` is aborted when the machine leaves the step's state early. */
export type Step = (step: { readonly signal: AbortSignal }) => Promise<void>;

/** What a machine invokes for a step. */
export type StepLogic = PromiseActorLogic<void>;

/** A step that failed or was never provided. Its machine has no way on, so that its actor stops with this error. */
export class StepError extends Error {
  override readonly name = 'StepError';
  /** The machine's id: queue, device or domain. */
  readonly machine: string;
  /** The step's name in the machine, e.g. `fenceEventQueue`. */
  readonly step: string;

  constructor(machine: string, step: string, why: string, cause?: unknown) {
    super(`${machine}.machine: step ${why}: ${step}${cause instanceof Error ? `: ${cause.message}` : ''}`, { cause });
    this.machine = machine;
    this.step = step;
  }
}

/** A step as an invocable actor that fails under its own name. Without `run` it rejects: a protocol with a hole must not pass. */
export function stepLogic(machine: string, name: string, run?: Step): StepLogic {
  return fromPromise<void>(async ({ signal }) => {
    if (run === undefined) throw new StepError(machine, name, 'not provided');
    try {
      await run({ signal });
    } catch (cause) {
      throw new StepError(machine, name, 'failed', cause);
    }
  });
}

/** The logic of each of `names`, for `machine.provide({ actors })`. */
export function stepActors<Name extends string>(
  machine: string,
  names: readonly Name[],
  steps: Partial<Record<Name, Step>> = {},
): Record<Name, StepLogic> {
  const actors = {} as Record<Name, StepLogic>;
  for (const name of names) actors[name] = stepLogic(machine, name, steps[name]);
  return actors;
}
