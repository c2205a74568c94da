import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Command } from 'commander';
import { afterAll, expect, test } from 'vitest';
import { modelReplayResultSchema } from '../../replay/report/model-result.ts';
import { addReplayCommand } from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'replay-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the command. @returns its exit code, or the message that it throws, and what it printed. */
async function replay(...args: string[]): Promise<{ code: number | string; out: string; err: string }> {
  const printed = { out: '', err: '' };
  const sink = (name: 'out' | 'err') => ({
    write(text: string): void {
      printed[name] += text;
    },
  });
  const program = new Command().exitOverride();
  let code: number | string = -1;
  const host = { out: sink('out'), err: sink('err'), signal: new AbortController().signal };
  addReplayCommand(program, host, (value) => {
    code = value;
  });
  try {
    await program.parseAsync(['replay', ...args], { from: 'user' });
  } catch (error) {
    code = (error as Error).message;
  }
  return { code, ...printed };
}

// The commit that added the event has these lines (linux-iommu, 20 May 2021).
const SAMPLE = `# tracer: nop
| prq_report: dmar0/0000:00:0a.0 seq# 1: rid=0x50 addr=0x559ef6f97 r---- pasid=0x2 index=0x1
| prq_report: dmar0/0000:00:0a.0 seq# 2: rid=0x50 addr=0x559ef6f9c rw--l pasid=0x2 index=0x1
| prq_report: dmar0/0000:00:0a.0 seq# 3: rid=0x50 addr=0x559ef6f98 r---- pasid=0x2 index=0x1
CPU:3 [LOST 7 EVENTS]
| prq_report: dmar0/0000:00:0a.0 seq# 4: rid=0x50 addr=0x559ef6f9d rw--l pasid=0x2 index=0x1
what\u001b[2J
| prq_report: dmar0/0000:00:0a.0 seq# 5: rid=0x50 addr=0x559ef6f99 r---- pasid=0x2 index=0x1
`;

test('a packed trace goes through the model, and its figures into a file', async () => {
  const [file, json] = [join(folder, 'trace.gz'), join(folder, 'out.json')];
  writeFileSync(file, gzipSync(SAMPLE));
  const { code, out } = await replay(file, '--model', 'this-class', '--speed', 'max', '--json', json);
  expect(code).toBe(0);
  const result = modelReplayResultSchema.parse(JSON.parse(readFileSync(json, 'utf8')));
  expect(result).toMatchObject({
    ...{ command: 'replay', interrupted: false, unbalanced: [], options: { speed: null, preset: 'this-class' } },
    ...{ lines: 8, records: 5, unreadable: 1, comments: 1, lostLines: 1, lost: 7, untimed: 5 },
    ...{ devices: 1, groups: 2, partial: 1, groupsSent: 2, answered: 2, unplaced: 0 },
  });
  expect(result.latencyNs.p50).toBeGreaterThan(0);
  expect(out).toContain('7: no event: what\\x1b[2J'); // by its number, and harmless to a terminal
});

test('a file without requests, a damaged one and options that are none are told in a line', async () => {
  const [none, cut] = [join(folder, 'none.txt'), join(folder, 'cut.gz')];
  writeFileSync(none, '# nothing\n');
  writeFileSync(cut, gzipSync(SAMPLE).subarray(0, 60));
  const through = ['--model', 'this-class'];
  expect(await replay(none, ...through)).toMatchObject({ code: 1, err: `${none}: no page request in it\n` });
  expect((await replay(cut, ...through)).code).toContain('cut.gz": cannot be read: unexpected end of file');
  expect((await replay(join(folder, 'missing'))).code).toContain('cannot be read: ENOENT');
  for (const [option, value, why] of [
    ['--speed', 'fast', 'must be a number above 0, or max'],
    ['--speed', '0', 'must be a number above 0, or max'],
    ['--iommu', 'smmu-v3', 'must be vtd or amd'],
    ['--generation', 'v8', 'must be one of locked'],
    ['--devices', '257', 'must be a whole number from 1 to 256'],
    ['--queue-entries', '1e3', 'must be a whole number from 256 to 16384'],
  ])
    expect((await replay(none, option, value)).code).toContain(`${option} = "${value}": ${why}`);
});
