import { type Conclusion, conclusionsOf, cures, rankSuspects } from '../conclusions.ts';
import { barPlot } from '../plot/bar-plot.ts';
import type { VerdictResult } from '../result.ts';
import type { SensitivityPoint } from '../sensitivity.ts';
import { type Block, heading, plot, table, text } from './blocks.ts';
import { andList, kneeWords, SUSPECT_WORDS, showLength } from './words.ts';

/** Bars in the chart. */
const MOST_BARS = 24;

export function sensitivitySection(result: VerdictResult): Block[] {
  const { sensitivity, plan } = result;
  const [base, ...points] = sensitivity;
  if (base === undefined || base.path !== '') return [];
  const guesses = new Set(points.map(({ path }) => path)).size;
  return [
    heading(2, 'What holds whatever the guess'),
    text(
      `Each of ${guesses} guesses was moved by itself (${points.length} points), everything else left as it is: costs to ${andList(plan.factors.map((factor) => `${factor} times`))} ` +
        'their value, parameters over the values that the table below names. Where something published leaves open how it applies, it counts as a guess. ' +
        `Each conclusion is a predicate over results, asked again at each point; cells are of one seed, ${showLength(plan.sweepCell)}. So a knee that moves by one place on the grid, and a conclusion that one point in many turns, may be chance.`,
    ),
    table(
      'Conclusions over all guesses',
      ['conclusion', 'with the preset', 'points where it is so', 'verdict', 'it turns with'],
      conclusionsOf(plan).map((conclusion) => conclusionRow(conclusion, base, points)),
      2,
    ),
    ...chart(result, base, points),
    table(
      'Guesses that change something',
      [
        'guess',
        'given',
        'tried',
        'loop knee',
        'time-out knee',
        'healed by taking out',
        'suspects, best to take out first',
        'conclusions that turn',
      ],
      points
        .filter((point) => turned(point, base).length > 0 || point.loop !== undefined)
        .map((point) => [
          `\`${point.path}\``,
          String(point.given),
          point.label,
          point.loop === undefined ? 'as it was' : kneeWords(point.loop, result),
          point.timeout === undefined ? 'as it was' : kneeWords(point.timeout, result),
          cures(point.panel)
            .map((name) => SUSPECT_WORDS[name])
            .join(', ') || 'none alone',
          rankSuspects(point.panel)
            .slice(0, 3)
            .map((name) => SUSPECT_WORDS[name])
            .join(' > '),
          turned(point, base).join(', ') || 'none',
        ]),
      3,
    ),
  ];
}

function conclusionRow(conclusion: Conclusion, base: SensitivityPoint, points: readonly SensitivityPoint[]): string[] {
  const { name, yes, no } = conclusion;
  const held = base.conclusions[name];
  const others = points.filter(({ conclusions }) => conclusions[name] !== held);
  const paths = [...new Set(others.map(({ path, label }) => `\`${path}\` ${label}`))];
  const shown = paths.slice(0, 4).join(', ') + (paths.length > 4 ? ` and ${paths.length - 4} more` : '');
  return [
    held ? yes : no,
    held ? 'so' : 'not so',
    `${points.length - others.length} of ${points.length}`,
    others.length === 0 ? 'holds whatever the guess' : 'depends on a guess',
    shown,
  ];
}

function turned({ conclusions }: SensitivityPoint, base: SensitivityPoint): string[] {
  return Object.keys(conclusions).filter((name) => conclusions[name] !== base.conclusions[name]);
}

function chart(result: VerdictResult, base: SensitivityPoint, points: readonly SensitivityPoint[]): Block[] {
  const baseKnee = base.loop?.threads ?? 0;
  const moved = points.filter(({ loop }) => loop !== undefined && loop.threads !== baseKnee);
  const reach = (path: string): number =>
    Math.max(
      ...moved
        .filter((each) => each.path === path)
        .map(({ loop }) => Math.abs(Math.log((loop?.threads || 1) / (baseKnee || 1)))),
    );
  const paths = [...new Set(moved.map(({ path }) => path))].sort((a, b) => reach(b) - reach(a)).slice(0, MOST_BARS);
  if (paths.length === 0) return [text('No guess moves the knee of `locked` to another thread count of the grid.')];
  return [
    plot(
      'sensitivity',
      'How far each guess moves the knee of locked',
      barPlot({
        title: "Where the loop of locked begins, by guess (dashed: the preset's)",
        xLabel: 'device threads at the knee',
        mark: baseKnee,
        legend: [],
        bars: paths.map((path) => ({
          name: path,
          parts: moved
            .filter((each) => each.path === path)
            .map(({ loop, label }) => ({
              from: baseKnee,
              to: loop?.threads ?? 0,
              color: (loop?.threads ?? 0) < baseKnee ? 0 : 4,
              text: `${label}: ${loop === undefined ? '' : kneeWords(loop, result)}`,
            })),
        })),
      }),
    ),
  ];
}
