// Results as a document: made by a run, and saying by which. Bugs that Linux fixed are a table of their own form, the museum.
import { formatBytes } from '../../report/format.ts';
import type { Environment } from '../../result/schema.ts';
import type { ExploreResult } from '../result.ts';
import { code, escapeMarkdown, markdownTable, withSourceLinks } from './markdown.ts';
import { type Exhibit, exhibitOf, museumTable } from './museum-table.ts';
import { foundOf, lengthOf } from './results-table.ts';
import { endOf, verdictOf } from './summary.ts';
import { countOf } from './text.ts';

/** How a document came about. */
export interface Made {
  /** The command, as it can be given again. */
  readonly command: string;
  readonly environment: Environment;
}

/** Results of the museum alone become its table. Beside others they are left out: they want a document of their own. */
export function resultsDocument(results: readonly ExploreResult[], made: Made): string {
  const exhibits: Exhibit[] = [];
  const others: ExploreResult[] = [];
  for (const result of results) {
    const exhibit = exhibitOf(result);
    if (exhibit === undefined) others.push(result);
    else exhibits.push(exhibit);
  }
  return others.length === 0 && exhibits.length > 0 ? museumDocument(exhibits, made) : scenariosDocument(others, made);
}

function scenariosDocument(results: readonly ExploreResult[], made: Made): string {
  const folders = Map.groupBy(results, ({ scenario }) => folderOf(scenario));
  const sections = [...folders].flatMap(([folder, inIt]) => [
    `## ${escapeMarkdown(folder)}`,
    ...[...Map.groupBy(inIt, ({ scenario }) => scenario)].flatMap(([, designs]) => scenarioSection(designs)),
  ]);
  return page('What the checker was asked, and what it found', made, results, [
    'Each scenario asks one question of the code as it ships; a design that fails is the order of steps that the question is about. ' +
      'Length is that of the schedule found, once minimised. Schedules are those that ran until it was found, or to the end of the ' +
      'search: *exhausted* means that every schedule was run, up to the order of operations that do not touch one another. ' +
      'A token shows what was found: `faultline explore --replay TOKEN`.',
    ...sections,
  ]);
}

function scenarioSection(designs: readonly ExploreResult[]): string[] {
  const [{ scenario, about, seed, source }] = designs;
  const from = seed === '' || source.startsWith(`seed ${seed}`) ? '' : `seed ${seed}; `;
  return [
    `### ${code(scenario)}`,
    escapeMarkdown(about),
    `From ${from}${withSourceLinks(source)}`,
    markdownTable(
      ['design', 'expected', 'found', 'length', 'schedules', 'ended by', 'seconds', 'token'],
      designs.map((result) => [
        escapeMarkdown(result.design),
        result.expected,
        marked(result),
        lengthOf(result, ', '),
        result.schedules.toLocaleString('en'),
        endOf(result),
        result.seconds.toFixed(2),
        code(result.finding?.token ?? ''),
      ]),
      ['schedules', 'seconds'],
    ),
  ];
}

function museumDocument(exhibits: readonly Exhibit[], made: Made): string {
  return page(
    'The museum: bugs that Linux shipped and fixed',
    made,
    exhibits.map(({ result }) => result),
    [
      'Each is a small copy, in our own code, of the order of steps that was at fault; the copy with the repair holds, and where ' +
        'core does the same job, so does core. Length is that of the schedule found, once minimised.',
      museumTable(exhibits, marked),
    ],
  );
}

function page(title: string, made: Made, results: readonly ExploreResult[], parts: readonly string[]): string {
  const scenarios = new Set(results.map(({ scenario }) => scenario)).size;
  const seconds = results.reduce((sum, result) => sum + result.seconds, 0);
  const wrong = results.filter((result) => verdictOf(result) !== 'as expected').length;
  const all = wrong === 0 ? 'all as expected' : `**${wrong} not as expected**`;
  return `${[
    `# ${title}`,
    `Made by \`${made.command.replaceAll('`', "'")}\`, not by hand; ${describeMachine(made.environment)}.`,
    `${countOf(scenarios, 'scenario')}, ${countOf(results.length, 'design')} in ${Math.ceil(seconds)} s of search: ${all}.`,
    ...parts,
  ].join('\n\n')}\n`;
}

function describeMachine({ cpuModel, cpus, memoryBytes, platform, release, node, v8 }: Environment): string {
  const machine = `${cpuModel}, ${countOf(cpus, 'processor')}, ${formatBytes(memoryBytes)}; ${platform} ${release}`;
  return escapeMarkdown(`${machine}; Node ${node}, V8 ${v8}`);
}

/** What was found; in bold where that is not what was expected. */
function marked(result: ExploreResult): string {
  return verdictOf(result) === 'as expected' ? foundOf(result) : `**${foundOf(result)}**`;
}

function folderOf(scenario: string): string {
  const slash = scenario.indexOf('/');
  return slash < 0 ? scenario : scenario.slice(0, slash);
}
