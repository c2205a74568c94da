// Every scenario of this package, each design explored: what should fail is found, what should hold is searched to its end.
import { loadScenarios, shippedScenarios } from '../src/cli/explore/load.ts';
import { explore } from '../src/explore/vitest.ts';

for (const { scenario } of await loadScenarios(shippedScenarios())) explore(scenario.spec.name, scenario);
