import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { exploreScenario } from './explore.ts';
import { describeFinding } from './report/finding-text.ts';
import { summaryLine } from './report/summary.ts';
import { designsOf, type Scenario, type Strategy } from './scenario.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    strategy: { type: 'string' },
    schedules: { type: 'string' },
    seconds: { type: 'string' },
    unchecked: { type: 'boolean' },
    twice: { type: 'boolean' },
    steps: { type: 'string' },
  },
});
const [file, name, design] = positionals;
const module = (await import(pathToFileURL(file).href)) as Record<string, Scenario>;
const [kind, n] = (values.strategy ?? '').split(':');
const strategy: Strategy | undefined =
  kind === ''
    ? undefined
    : kind === 'bounded'
      ? { kind, preemptions: Number(n ?? 2) }
      : kind === 'pct'
        ? { kind, depth: Number(n ?? 3), seed: 1 }
        : kind === 'random'
          ? { kind, seed: Number(n ?? 1) }
          : { kind: 'dpor' };
for (const scenario of Object.values(module)) {
  if (scenario?.spec === undefined || (name !== undefined && scenario.spec.name !== name)) continue;
  for (const each of Object.keys(designsOf(scenario.spec))) {
    if (design !== undefined && each !== design) continue;
    const result = await exploreScenario(scenario, {
      design: each,
      ...(strategy === undefined ? {} : { strategy }),
      checked: values.unchecked !== true,
      twice: values.twice === true,
      bounds: {
        ...(values.schedules === undefined ? {} : { schedules: Number(values.schedules) }),
        ...(values.seconds === undefined ? {} : { seconds: Number(values.seconds) }),
        ...(values.steps === undefined ? {} : { steps: Number(values.steps) }),
      },
    });
    console.log(
      `${result.scenario} @ ${each}: expected ${result.expected}; ${summaryLine(result)}; ${result.redundant} redundant, longest ${result.steps} steps, ${result.seconds.toFixed(2)} s, ${Math.round((result.schedules + result.redundant) / result.seconds)}/s; ${result.outcomes.map((o) => `${o.name} ${o.count}`).join(', ')}`,
    );
    if (result.finding) console.log(describeFinding(result.finding, { width: 140, colour: false }));
  }
}
process.exit(0);
