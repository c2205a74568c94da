import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { fakeEngine } from '../../../test/fake-engine.ts';
import { runVerdict } from '../../verdict/run.ts';
import { SMALL_PLAN, smallPreset } from '../../verdict/small.test-help.ts';
import { UsageError } from '../request.ts';
import { runVerdictCommand, type VerdictOptions } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'faultline-verdict-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(options: Partial<VerdictOptions>): Promise<{ code: number; out: string }> {
  let out = '';
  const host = {
    engine: fakeEngine({}),
    out: { write: (part: string) => (out += part) },
    err: { write: () => {} },
    signal: new AbortController().signal,
    availableBytes: 2 ** 40,
  };
  const code = await runVerdictCommand(
    { preset: 'reporter-arm128', out: join(folder, 'docs'), validate: false, real: false, ...options },
    host,
  );
  return { code, out };
}

test('makes the document of a stored result, without simulating', async () => {
  const stored = join(folder, 'stored.json');
  const afterTable = new AbortController();
  const result = await runVerdict(
    { preset: smallPreset(), plan: SMALL_PLAN, processors: 1 },
    {
      onSection: (name) => {
        if (name !== 'table') afterTable.abort();
      },
      onProgress: () => {},
      onPartial: () => {},
      signal: afterTable.signal,
    },
  );
  writeFileSync(stored, JSON.stringify(result));
  const html = join(folder, 'verdict.html');
  const { code, out } = await run({ from: stored, html });
  expect(code).toBe(0);
  expect(out).toContain('Throughput against locked');
  const document = readFileSync(join(folder, 'docs/verdict-512.md'), 'utf8');
  for (const [, plot] of document.matchAll(/\]\((verdict-512\/[^)]+)\)/g))
    expect(readFileSync(join(folder, 'docs', plot), 'utf8')).toMatch(/^<svg[\s\S]*<\/svg>\n$/);
  expect(existsSync(html)).toBe(true);
}, 60_000);

const notYaml = join(folder, 'not.yaml');
writeFileSync(notYaml, 'name: [');
const notResult = join(folder, 'not.json');
writeFileSync(notResult, '{"schemaVersion": 7}');

test.each<[Partial<VerdictOptions>, RegExp]>([
  [{ seeds: '0' }, /^--seeds = "0": must be/],
  [{ seeds: '1.5' }, /^--seeds = "1.5"/],
  [{ preset: join(folder, 'none') }, /^--preset = ".*none": cannot be read/],
  [{ costs: notYaml }, /^--costs = ".*not.yaml": /],
  [{ from: notResult }, /^--from = ".*not.json": schemaVersion/],
  [{ real: notResult }, /^--real = ".*not.json": schemaVersion/],
  [{ validate: notResult }, /^--validate = ".*not.json": validation/],
  [{ out: notYaml }, /^--out = ".*not.yaml": cannot be written/],
])('refuses %j in a line', async (options, why) => {
  const refused = run(options);
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(why);
  await expect(refused).rejects.not.toThrow(/\n/);
});
