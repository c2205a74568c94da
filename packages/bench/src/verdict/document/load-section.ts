import { MODEL_GENERATIONS } from '../../model/index.ts';
import { formatSeconds } from '../../report/format.ts';
import type { Spike } from '../metastability.ts';
import { linePlot } from '../plot/line-plot.ts';
import type { VerdictResult } from '../result.ts';
import { type Block, heading, plot, table, text } from './blocks.ts';
import { showShare } from './words.ts';

export function loadSection({ metastability: { spikes, hysteresis }, plan }: VerdictResult): Block[] {
  if (spikes.length === 0 && hysteresis.length === 0) return [];
  const shown = hysteresis.filter(({ generation }) => ['locked', 'lockless', 'adaptive'].includes(generation));
  const marks = shown.flatMap(({ up }) => up.map(({ threads }) => threads));
  const [least, most] = [Math.min(...marks), Math.max(...marks)];
  const xMarks = [least, 128, 256, 512, 1024, 2048, most].filter(
    (x, index, all) =>
      x >= least && x <= most && (index === 0 || index === all.length - 1 || (x > 1.3 * least && x < most / 1.3)),
  );
  const curve = (pick: 'jobsPerSecond' | 'refaultsPerFault' | 'timeouts') =>
    shown.flatMap(({ generation, up, down }) =>
      [up, down].map((points, way) => ({
        name: `${generation}, ${way === 0 ? 'up' : 'down'}`,
        color: MODEL_GENERATIONS.indexOf(generation),
        isDashed: way === 1,
        points: points.map((point) => ({ x: point.threads, y: point[pick] })),
      })),
    );
  const axis = { xLabel: 'device threads at work', xMarks };
  return [
    heading(2, 'After the load has fallen'),
    text(
      "Each design is loaded below its loop's knee, then at twice the knee, then below it again; one that has no knee gets the loads of `locked`. It has recovered when jobs are done at 90 % of the pace before, " +
        'without time-outs and without the loop, until the end.',
    ),
    table(
      'Recovery',
      [
        'generation',
        'knee',
        'load',
        'jobs/s before',
        'jobs/s above the knee',
        'jobs/s at the end',
        're-faults per fault at the end',
        'recovered after',
      ],
      spikes.map((spike) => [
        `\`${spike.generation}\``,
        String(spike.knee),
        `${spike.low} → ${spike.high} → ${spike.low}`,
        spike.before.jobsPerSecond.toFixed(0),
        spike.during.jobsPerSecond.toFixed(0),
        spike.after.jobsPerSecond.toFixed(0),
        showShare(spike.after.refaultsPerFault),
        showRecovery(spike),
      ]),
    ),
    ...(shown.length === 0
      ? []
      : [
          text(
            `Hysteresis: the load goes up and comes down in steps of ${plan.dwellSeconds} s; a point is the second half of a step.`,
          ),
          plot(
            'hysteresis-jobs',
            'Jobs a second as the load rises and falls',
            linePlot({
              ...axis,
              title: 'Load up, load down: jobs',
              yLabel: 'jobs a second',
              series: curve('jobsPerSecond'),
            }),
          ),
          plot(
            'hysteresis-timeouts',
            'Time-outs as the load rises and falls',
            linePlot({
              ...axis,
              title: 'Load up, load down: time-outs',
              yLabel: 'time-outs',
              series: curve('timeouts'),
            }),
          ),
          plot(
            'hysteresis-refaults',
            'Re-faults per fault as the load rises and falls',
            linePlot({
              ...axis,
              title: 'Load up, load down: re-faults',
              yLabel: 're-faults per fault',
              series: curve('refaultsPerFault'),
            }),
          ),
        ]),
  ];
}

export function showRecovery({ recoverySeconds, endAt, loweredAt }: Spike): string {
  if (recoverySeconds === undefined) return `not within ${formatSeconds(endAt - loweredAt)}`;
  return recoverySeconds === 0 ? 'at once' : formatSeconds(recoverySeconds);
}
