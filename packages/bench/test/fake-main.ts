// The command line as a process of its own, over an engine that measures two cells and then waits for the signal.
import { checker, loadScenarios, shippedScenarios } from '../src/cli/explore/index.ts';
import { main } from '../src/cli/program.ts';
import { interruptSignal } from '../src/cli/signals.ts';
import { litmus } from '../src/explore/litmus/litmus.ts';
import { fakeEngine } from './fake-engine.ts';

process.exit(
  await main(process.argv.slice(2), {
    engine: fakeEngine({ waitAfter: 2, deaf: process.env.DEAF === '1' }),
    out: process.stdout,
    err: process.stderr,
    explorer: checker,
    litmus,
    loadScenarios: () => loadScenarios(shippedScenarios()),
    signal: interruptSignal(),
    availableBytes: 2 ** 40,
  }),
);
