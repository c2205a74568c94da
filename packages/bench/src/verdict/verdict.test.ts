import { beforeAll, expect, test } from 'vitest';
import { makeDocument, renderHtml, renderMarkdown, renderTerminal } from './document/index.ts';
import { makePlan } from './plan.ts';
import { type VerdictResult, verdictSchema } from './result.ts';
import { runVerdict } from './run.ts';
import { SMALL_PLAN, smallPreset } from './small.test-help.ts';

async function verdict(processors: number, stopAt?: string): Promise<VerdictResult> {
  const controller = new AbortController();
  return runVerdict(
    { preset: smallPreset(), plan: SMALL_PLAN, processors },
    {
      onSection: (name) => {
        if (name === stopAt) controller.abort();
      },
      onProgress: () => {},
      onPartial: () => {},
      signal: controller.signal,
    },
  );
}

/** The pool's threads start slowly on a busy machine. */
const PATIENCE_MS = 60_000;

let stored: VerdictResult;
beforeAll(async () => {
  stored = verdictSchema.parse(JSON.parse(JSON.stringify(await verdict(2))));
}, PATIENCE_MS);

test(
  'the result is the same whatever the number of threads that make it',
  async () => {
    const alone = await verdict(1);
    const { effort: _, ...one } = JSON.parse(JSON.stringify(alone)) as VerdictResult;
    const { effort: __, ...two } = stored;
    expect(two).toEqual(one);
    expect(stored.effort.simulations).toBe(alone.effort.simulations);
    expect(stored.partial).toBe(false);
  },
  PATIENCE_MS,
);

test(
  'interrupted, it has what was finished, and says so',
  async () => {
    const partial = await verdict(1, 'suspects');
    expect(partial.table).toEqual(stored.table);
    expect(partial.removals).toEqual([]);
    expect(renderMarkdown(makeDocument(partial), 'p')).toContain('PARTIAL');
  },
  PATIENCE_MS,
);

test('the document of a stored result has its tables, its plots and its inputs', () => {
  const blocks = makeDocument(stored);
  const markdown = renderMarkdown(blocks, 'plots');
  for (const title of [
    'Throughput against `locked`',
    '`locked` without one suspect',
    'Conclusions over all guesses',
    'Recovery',
    'What each would bring, beyond `lockless`',
    'Parameters',
    'Costs',
  ])
    expect(markdown).toContain(`**${title}**\n\n|`);
  const [row] = stored.table;
  expect(markdown).toContain(`| ${row.threads} |  | ${row.jobsPerSecond.mean.toFixed(0)} |`);
  for (const block of blocks) {
    if (block.kind === 'plot') {
      expect(markdown).toContain(`](plots/${block.name}.svg)`);
      expect(block.svg).not.toMatch(/NaN|Infinity|undefined/);
    }
    if (block.kind === 'table') for (const cells of block.rows) expect(cells).toHaveLength(block.head.length);
  }
  for (const [name, { ns, kind }] of Object.entries(stored.preset.costs))
    expect(markdown).toMatch(new RegExp(`\\| \`${name}\` \\| .* \\| ${kind} \\| .* \\| ${ns} \\|`));
  expect(markdown).not.toMatch(/undefined|NaN/);
  expect(renderHtml(blocks, 't')).toContain('<svg');
  expect(renderTerminal(blocks)).not.toContain('`');
});

test('what the summary says follows the results', () => {
  const [base, ...points] = stored.sensitivity;
  const said = (isInTime: boolean, everywhere: boolean): string => {
    const turn = { 'adaptive in time': isInTime };
    const others = { 'adaptive in time': isInTime === everywhere };
    const sensitivity = [
      { ...base, conclusions: { ...base.conclusions, ...turn } },
      ...points.map((point) => ({ ...point, conclusions: { ...point.conclusions, ...others } })),
    ];
    return renderMarkdown(makeDocument({ ...stored, sensitivity }), 'p');
  };
  expect(said(true, true)).toContain('- `adaptive` has no time-out at 8 threads. Whatever the guess.');
  expect(said(false, true)).toContain('- `adaptive` has time-outs at 8 threads. Whatever the guess.');
  expect(said(true, false)).toContain('- `adaptive` has no time-out at 8 threads. It depends on ');
});

test('real runs are added up, and told apart by whether the limit is for them', () => {
  const cell = { repeat: 0, scanner: 99, jobsPerSecond: 1, refaultsPerFault: 0, p99Ns: 1, timeouts: 0 };
  const cells = [
    { ...cell, generation: 'locked', threads: 512, faultsPerSecond: 5, timeouts: 3 },
    { ...cell, generation: 'locked', threads: 512, faultsPerSecond: 5, timeouts: 4, repeat: 1 },
    { ...cell, generation: 'locked', threads: 512, faultsPerSecond: 5, timeouts: 100, scanner: 0 },
    { ...cell, generation: 'lockless', threads: 8, faultsPerSecond: 100 },
    { ...cell, generation: 'adaptive', threads: 8, faultsPerSecond: 90 },
    { ...cell, generation: 'adaptive', threads: 8, faultsPerSecond: 95, repeat: 1 },
  ];
  const row = { generation: 'locked', threads: 1, scanner: 0, model: 100, realP99Ns: 1, modelP99Ns: 1 };
  const rows = [
    { ...row, real: 81, isBelowSaturation: true },
    { ...row, real: 79, isBelowSaturation: true },
    { ...row, real: 79, isBelowSaturation: true, verdict: 'disturbed' },
    { ...row, real: 79, isBelowSaturation: false },
  ];
  const result: VerdictResult = {
    ...stored,
    plan: { ...stored.plan, asked: { ...stored.plan.asked, at: 512 } },
    real: { source: 'a test', timeoutMs: 400, cells, notes: [] },
    validation: { rows, notes: ['a note'] },
  };
  const markdown = renderMarkdown(makeDocument(verdictSchema.parse(result)), 'p');
  expect(markdown).toContain('jobs that timed out: `locked` at 512 threads 7.');
  expect(markdown).toContain('faults answered at 8 threads: `lockless` 100 /s and `adaptive` 90 /s to 95 /s');
  expect(markdown).toContain('in 1 of 2 cells below saturation that no other program disturbed (4 cells in all)');
  expect(markdown).toContain('- a note');
});

test('the full plan has the table that was asked for', () => {
  expect(makePlan(false, undefined).threads).toEqual([8, 16, 32, 64, 128, 256, 384, 512, 768, 1024, 2048]);
  expect(makePlan(false, 7)).toMatchObject({ seeds: 7, quick: false });
});
