import { MODEL_GENERATIONS, SUSPECT_NAMES } from '../../model/index.ts';
import { barPlot } from '../plot/bar-plot.ts';
import type { VerdictResult } from '../result.ts';
import type { Removal } from '../suspects.ts';
import { type Block, heading, list, plot, table, text } from './blocks.ts';
import { kneeWords, removalText, removedWords, SUSPECT_WORDS, showLength, showMove, showState } from './words.ts';

const LOOP_COLOR = 1;
const TIMEOUT_COLOR = 0;

export function suspectsSection(result: VerdictResult): Block[] {
  const { removals, plan } = result;
  const locked = removals.filter(({ generation }) => generation === 'locked');
  const base = locked.find(({ removed }) => removed.length === 0);
  if (base === undefined) return [];
  const singles = locked.filter(({ removed }) => removed.length <= 1);
  const pairs = locked.filter(({ removed }) => removed.length === 2).sort(byKnee);
  const { grid, asked } = plan;
  return [
    heading(2, 'The suspects, taken out one by one and in pairs'),
    text(
      `A knee is the largest thread count before all is no longer well with ${plan.kneeSeeds === 1 ? 'the first seed' : `${plan.kneeSeeds} seeds`}, found by doubling steps and bisection among thread counts a quarter of a doubling apart, ` +
        `from ${grid[0]} to ${grid[grid.length - 1]}. There are two: the loop's, beyond which more than 5 % of all faults are re-faults, and the time-out's, ` +
        `beyond which a job fails (${showLength(plan.sweepCell)}). Time-outs follow the loop after a while: in longer cells, as those of the table, they begin at fewer threads.`,
    ),
    list(SUSPECT_NAMES.map((name) => `Without ${SUSPECT_WORDS[name]}: ${removalText(name)}.`)),
    removalTable('`locked` without one suspect', result, singles, base),
    plot(
      'suspects',
      'Knees of locked without each suspect',
      barPlot({
        title: 'How far locked gets without each suspect',
        xLabel: 'device threads',
        mark: asked.at,
        legend: [
          { name: 'no loop of re-faults', color: LOOP_COLOR },
          { name: 'no time-out', color: TIMEOUT_COLOR },
        ],
        bars: singles.map(({ removed, loop, timeout }) => ({
          name: removed.length === 0 ? 'as it stands' : `without ${removedWords(removed)}`,
          parts: [
            { from: 0, to: loop.threads, color: LOOP_COLOR, text: kneeWords(loop, result) },
            { from: 0, to: timeout.threads, color: TIMEOUT_COLOR, text: kneeWords(timeout, result) },
          ],
        })),
      }),
    ),
    ...(pairs.length === 0
      ? []
      : [removalTable('`locked` without two suspects, the best pair first', result, pairs, base)]),
    table(
      "Each design's knees: no loop / no time-out",
      ['without', ...MODEL_GENERATIONS.map((name) => `\`${name}\``)],
      [[], ...SUSPECT_NAMES.map((name) => [name])].map((removed) => [
        removedWords(removed),
        ...MODEL_GENERATIONS.map((generation) => {
          const found = removals.find(
            (each) => each.generation === generation && each.removed.join() === removed.join(),
          );
          return found === undefined ? '–' : `${kneeWords(found.loop, result)} / ${kneeWords(found.timeout, result)}`;
        }),
      ]),
    ),
  ];
}

function removalTable(title: string, result: VerdictResult, removals: readonly Removal[], base: Removal): Block {
  const { at, beyond } = result.plan.asked;
  return table(
    title,
    [
      'without',
      `at ${at}`,
      `jobs/s at ${at}`,
      `at ${beyond}`,
      `jobs/s at ${beyond}`,
      'loop knee',
      'moved',
      'time-out knee',
      'moved',
    ],
    removals.map(({ removed, loop, timeout, ...each }) => [
      removedWords(removed),
      showState(each.at),
      each.at.jobsPerSecond.toFixed(0),
      showState(each.beyond),
      each.beyond.jobsPerSecond.toFixed(0),
      kneeWords(loop, result),
      showMove(loop, base.loop),
      kneeWords(timeout, result),
      showMove(timeout, base.timeout),
    ]),
  );
}

function byKnee(a: Removal, b: Removal): number {
  return (
    b.loop.threads - a.loop.threads ||
    b.timeout.threads - a.timeout.threads ||
    b.beyond.jobsPerSecond - a.beyond.jobsPerSecond
  );
}
