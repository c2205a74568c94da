// What stands beside the simulations: real runs of this machine, made now or taken from files.
import { calibrateMachine, FULL, QUICK } from '../../calibrate/calibrate.ts';
import { parsePreset } from '../../model/index.ts';
import type { RunHooks } from '../../stress/types.ts';
import { readReal, runReal } from '../../verdict/real.ts';
import type { VerdictRequest } from '../../verdict/run.ts';
import { VALIDATE_FULL, VALIDATE_QUICK, validate } from '../../verdict/validation/index.ts';
import { readValidation } from '../../verdict/validation-view.ts';
import type { Host } from '../run.ts';
import { readWith } from './files.ts';

/** `false`: leave it out. A file: take it from there. */
export interface BesideOptions {
  readonly real?: string | false;
  readonly validate?: string | false;
  readonly quick?: boolean;
}

type Beside = Pick<VerdictRequest, 'real' | 'validate'>;

/** What files say, read at once. @throws UsageError */
export function besideFromFiles({ real, validate: compared }: BesideOptions): Beside {
  const stored = typeof real === 'string' ? readWith('--real', real, (text) => readReal(text, real)) : undefined;
  const validation = typeof compared === 'string' ? readWith('--validate', compared, readValidation) : undefined;
  return {
    ...(stored === undefined ? {} : { real: () => Promise.resolve(stored) }),
    ...(validation === undefined ? {} : { validate: () => Promise.resolve(validation) }),
  };
}

/** The same, and what no file says is run. @throws UsageError */
export function besideOf(options: BesideOptions, host: Host, note: (text: string) => void): Beside {
  const { engine, signal, availableBytes } = host;
  const isQuick = options.quick === true;
  const hooks: RunHooks = {
    onPlan: () => {},
    onCell: ({ generation, threads, timeouts }) =>
      note(`${generation}, ${threads} threads${timeouts === 0 ? '' : `: ${timeouts} time-outs`}`),
    onProgress: () => {},
    onNote: note,
    signal,
  };
  return {
    ...(options.real === undefined ? { real: () => runReal(engine, hooks, availableBytes, isQuick) } : {}),
    ...(options.validate === undefined
      ? {
          validate: async () => {
            const { preset } = await calibrateMachine(isQuick ? QUICK : FULL, { signal, onStep: () => {} });
            return validate(parsePreset(preset).config, isQuick ? VALIDATE_QUICK : VALIDATE_FULL, engine, hooks);
          },
        }
      : {}),
    ...besideFromFiles(options),
  };
}
