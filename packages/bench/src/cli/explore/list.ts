import Table from 'cli-table3';
import { wrapText } from '../../explore/report/text.ts';
import { designsOf } from '../../explore/scenario.ts';
import type { Found } from './types.ts';

/** The scenarios as a table: name, seed, what is asked, and each design with what is expected of it. */
export function listScenarios(scenarios: readonly Found[]): string {
  const table = new Table({
    head: ['scenario', 'seed', 'asks', 'designs'],
    style: { head: [], border: [], compact: false },
  });
  for (const { scenario } of scenarios) {
    const { name, seed = '', about } = scenario.spec;
    const designs = Object.entries(designsOf(scenario.spec)).flatMap(([design, expected]) =>
      wrapText(`${expected}: ${design}`, 34),
    );
    table.push([wrapText(name, 30).join('\n'), seed, wrapText(about, 46).join('\n'), designs.join('\n')]);
  }
  return table.toString();
}
