// The museum's table: a row a bug that Linux shipped and fixed.
import type { ExploreResult } from '../result.ts';
import { code, escapeMarkdown, markdownTable } from './markdown.ts';
import { lengthOf } from './results-table.ts';
import { summaryLine } from './summary.ts';

/** Where an exhibit is from, as its source says. */
interface Fix {
  readonly commit: string;
  readonly title: string;
  readonly cve: string;
  readonly shipped: string;
  readonly fixed: string;
}

/** A result of the museum. */
export interface Exhibit {
  readonly result: ExploreResult;
  readonly fix: Fix;
}

const SOURCE = /^Linux (\w+) "(.*)"(?: \((CVE-[\d-]+)\))?: shipped in (.*), fixed in (.*)$/;
/** What the designs that repair Linux' own steps are called; others that hold are ours. */
const REPAIRED = /^as fixed in /;

/** @returns undefined for a scenario whose source is no fix in Linux. */
export function exhibitOf(result: ExploreResult): Exhibit | undefined {
  const found = SOURCE.exec(result.source);
  if (found === null) return undefined;
  const [, commit, title, cve = '', shipped, fixed] = found;
  return { result, fix: { commit, title, cve, shipped, fixed } };
}

/** @param foundIn what was found, as a cell. */
export function museumTable(exhibits: readonly Exhibit[], foundIn: (result: ExploreResult) => string): string {
  const rows = [...Map.groupBy(exhibits, ({ result }) => result.scenario)].map(([scenario, designs]) => {
    const [{ fix, result }] = designs;
    const results = designs.map((each) => each.result);
    const faulty = results.filter(({ expected }) => expected === 'fails');
    const holding = results.filter(({ expected }) => expected === 'holds');
    const explored = (each: ExploreResult): string =>
      each.finding === undefined ? summaryLine(each) : `${foundIn(each)}, ${lengthOf(each, ', ')}`;
    return [
      code(scenario.slice(scenario.indexOf('/') + 1)),
      [result.about, ...faulty.map(({ finding }) => finding?.message.split('\n')[0].replace(/^Error: /, '') ?? '')]
        .filter(Boolean)
        .map(escapeMarkdown)
        .join('<br>'),
      escapeMarkdown(fix.shipped),
      [`${code(fix.commit)} ${escapeMarkdown(fix.title)}`, fix.cve, `in ${escapeMarkdown(fix.fixed)}`]
        .filter(Boolean)
        .join('<br>'),
      faulty.map((each) => (each.finding === undefined ? foundIn(each) : explored(each))).join('<br>'),
      holding
        .filter(({ design }) => REPAIRED.test(design))
        .map(explored)
        .join('<br>'),
      holding
        .filter(({ design }) => !REPAIRED.test(design))
        .map(explored)
        .join('<br>') || 'no such job here',
    ];
  });
  return markdownTable(['bug', 'asked, and what breaks', 'in', 'fixed by', 'found', 'as fixed', 'ours'], rows);
}
