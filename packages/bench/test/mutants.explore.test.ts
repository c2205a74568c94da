// Sensitivity: each mistake is put into the real module's source as it loads, and the checker must find it.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadScenarios, shippedScenarios } from '../src/cli/explore/load.ts';
import { exploreScenario } from '../src/explore/explore.ts';
import { summaryLine } from '../src/explore/report/summary.ts';
import { designsOf, type Scenario } from '../src/explore/scenario.ts';
import type { Mutant } from './mutants/mutant.ts';

const FEWEST = 3;
const folder = join(import.meta.dirname, 'mutants');
const scenarios = new Map(
  (await loadScenarios(shippedScenarios())).map(({ scenario }) => [scenario.spec.name, scenario]),
);

function isMutants(value: unknown): value is readonly Mutant[] {
  return (
    Array.isArray(value) && value.every((each: unknown) => typeof each === 'object' && each !== null && 'find' in each)
  );
}

const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.includes('/'))
  .toSorted();
for (const file of files) {
  const lists = Object.values((await import(pathToFileURL(join(folder, file)).href)) as object).filter(isMutants);
  const mutants = lists.flat();
  describe(file.replace('.ts', ''), () => {
    test(`at least ${FEWEST} mistakes are tried in each structure`, () => {
      expect(mutants.length).toBeGreaterThanOrEqual(FEWEST);
    });
    test.for(mutants)('$name', { timeout: 120_000 }, async (mutant, { annotate }) => {
      const scenario = scenarios.get(mutant.scenario);
      if (scenario === undefined) throw new Error(`no scenario is named ${mutant.scenario}`);
      const result = await exploreScenario(scenario, {
        design: mutant.design ?? sound(scenario),
        patches: [{ module: mutant.module, find: mutant.find, replace: mutant.replace }],
      });
      await annotate(summaryLine(result));
      expect(result.finding, `survived: ${summaryLine(result)}`).toBeDefined();
    });
  });
}

function sound(scenario: Scenario): string {
  const design = Object.entries(designsOf(scenario.spec)).find(([, expected]) => expected === 'holds');
  if (design === undefined) throw new Error(`${scenario.spec.name} has no design that holds`);
  return design[0];
}
