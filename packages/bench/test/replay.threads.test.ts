// Traces through the fault path, as it ships, on real threads: what a run recorded, and what a hand wrote.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { type ReplayResult, replayResultSchema } from '../src/replay/report/schema.ts';
import type { ReplayOptions } from '../src/replay/run/options.ts';
import { TraceReader } from '../src/replay/source/trace-reader.ts';
import { built } from './built.ts';
import { engine, growAll, runOrder, tiny } from './tiny-engine.ts';

vi.setConfig({ testTimeout: 30_000 }); // a hang, not a machine that has other work

const { replayTrace } = await built<typeof import('../src/replay/run/replay.ts')>('replay/run/replay.js');
const { openTrace } = await built<typeof import('../src/replay/source/open-trace.ts')>('replay/source/open-trace.js');
const { makeResult } = await built<typeof import('../src/replay/report/result.ts')>('replay/report/result.js');
const { defaultReplayOptions } = await built<typeof import('../src/replay/run/options.ts')>('replay/run/options.js');
const { RequestRecorder } = await built<typeof import('../src/replay/record/request-recorder.ts')>(
  'replay/record/request-recorder.js',
);

const { requestParts } = await built<typeof import('../src/replay/record/stress-recording.ts')>(
  'replay/record/stress-recording.js',
);

const folder = mkdtempSync(join(tmpdir(), 'replay-'));
afterAll(() => rmSync(folder, { recursive: true }));
const fileOf = (name: string): string => join(folder, name);
const signal = new AbortController().signal;

async function replay(file: string, over: Partial<ReplayOptions>, record?: string): Promise<ReplayResult> {
  const options = { ...defaultReplayOptions(), speed: Number.POSITIVE_INFINITY, devices: 4, ...over };
  const replayed = await replayTrace(await openTrace(file), options, { onProgress: () => {}, signal, record });
  return replayResultSchema.parse(JSON.parse(JSON.stringify(makeResult(file, options, replayed))));
}

/** A trace's groups, each with its device, PASID, index and pages in order, and how often it is there. */
function groupsOf(file: string): Map<string, number> {
  const reader = new TraceReader();
  const open = new Map<string, string>();
  const groups = new Map<string, number>();
  reader.push(readFileSync(file));
  for (let record = reader.next(); record !== undefined; record = reader.next()) {
    const key = `${reader.parser.names.name(record.device)} rid ${record.rid} index ${record.index}`;
    const pages = `${open.get(key) ?? ''} ${record.pasid}/${record.page}/${record.perm}`;
    if (!record.isLast) {
      open.set(key, pages);
      continue;
    }
    open.delete(key);
    groups.set(key + pages, (groups.get(key + pages) ?? 0) + 1);
  }
  expect([reader.counts.unreadable, open.size]).toEqual([0, 0]);
  return groups;
}

test('a recorded run, replayed and recorded again, has the same groups', async () => {
  const [first, second] = [fileOf('run.jsonl'), fileOf('replay.jsonl')];
  const requests = new RequestRecorder(first, (device) => ({ name: `stress/${device}`, rid: device }));
  const parameters = tiny({
    ...{ iommu: 'vtd', threads: [4], devices: 2, pagesPerJob: 32, groupPages: 8, faults: 2000 },
  });
  const cells = await engine.onStage(
    parameters,
    signal,
    async (stage) => {
      await growAll(stage);
      return [await runOrder(stage, { requests }), await runOrder(stage, { requests, generation: 'locked' })];
    },
    requestParts(requests),
  );
  requests.close();
  const groups = groupsOf(first);
  const sum = (of: (cell: (typeof cells)[number]) => number): number => cells.reduce((all, cell) => all + of(cell), 0);
  expect([...groups.values()].reduce((all, count) => all + count, 0)).toBe(sum((cell) => cell.reported));
  expect([requests.written, requests.lost]).toEqual([sum((cell) => cell.faults), 0]);

  const result = await replay(first, { handler: 'noop', generation: 'lockless' }, second);
  expect(result).toMatchObject({
    ...{ unbalanced: [], comments: 2, records: requests.written, sent: requests.written, devices: 2, partial: 0 },
    ...{ groups: sum((cell) => cell.reported), answered: sum((cell) => cell.reported), succeeded: result.groups },
  });
  expect(groupsOf(second)).toEqual(groups);
});

const at = (us: number, device: string, body: string): string =>
  `irq-1 [000] d..1. 5.${String(us).padStart(6, '0')}: prq_report: dmar0/${device} seq# 1: rid=0x8 ${body}\n`;

test.each(['vtd', 'amd'] as const)('a trace by hand comes out in the books, behind %s', async (iommu) => {
  const file = fileOf(`${iommu}.txt`);
  writeFileSync(
    file,
    [
      ...Array.from({ length: 600 }, (_, i) =>
        at(i, 'a', `addr=0x${i.toString(16)} rw--l pasid=0x7 index=0x${(i & 1).toString(16)}`),
      ),
      at(600, 'b', 'addr=0x10 r---- pasid=0x1 index=0x3'), // two groups of one device, mixed, of two PASIDs
      at(601, 'b', 'addr=0x11 r---- pasid=0x9 index=0x4'),
      at(602, 'b', 'addr=0x12 rw--l pasid=0x9 index=0x4'),
      at(603, 'b', 'addr=0x13 rw--l pasid=0x1 index=0x3'),
      at(604, 'b', 'addr=0x14 -wx-l pasid=0x1 index=0x5'), // the area is not for execution
      at(605, 'b', 'addr=0x0 ----l pasid=0x1 index=0x6'), // a stop marker
      at(606, 'c', 'addr=0x10 rw--l pasid=0x1 index=0x0'), // no place left
      'what\n',
      at(400_000, 'b', 'addr=0x15 r---- pasid=0x1 index=0x6'), // never ends
    ].join(''),
  );
  const result = await replay(file, { iommu, devices: 2, speed: 2, generation: 'adaptive' });
  expect(result).toMatchObject({
    ...{ unbalanced: [], lines: 609, records: 608, unreadable: 1, devices: 3, groups: 605, partial: 1 },
    ...{ sent: 606, unplaced: 1, stopMarkers: 1, unsent: 0, groupsSent: 603, answered: 603 },
    ...{ succeeded: 602, invalid: 1, failures: 0, unexpected: 0 },
  });
  expect(result.byDevice.map(({ device, pasids, records, groups }) => [device, pasids, records, groups])).toEqual([
    ['dmar0/a', [7], 600, 600],
    ['dmar0/b', [1, 9], 6, 3],
  ]);
  expect(result.seconds).toBeGreaterThan(0.2); // 0.4 s of the trace at twice its speed
  expect(result.heldForIndex).toBeGreaterThan(0); // two indices for six hundred groups
});

test('an interrupted replay ends, and says what it had read', async () => {
  const file = fileOf('long.txt');
  const lines = Array.from({ length: 50 }, (_, i) => at(i * 15_000, 'a', `addr=0x${i} rw--l pasid=0x1 index=0x0`));
  writeFileSync(
    file,
    [...lines, at(800_000, 'a', 'addr=0x99 rw--l pasid=0x1 index=0x0').replace(' 5.', ' 9999.')].join(''),
  );
  const options = { ...defaultReplayOptions(), devices: 1 };
  const hooks = { onProgress: () => {}, signal: AbortSignal.timeout(700) };
  const result = makeResult(file, options, await replayTrace(await openTrace(file), options, hooks));
  expect(result).toMatchObject({ interrupted: true, unbalanced: [], records: 51 });
  expect([result.answered > 0, result.answered < 51]).toEqual([true, true]);
});
