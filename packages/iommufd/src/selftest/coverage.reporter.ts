// Prints what of the kernel's selftest is covered by what: a row a behaviour. A vitest reporter: `pnpm selftest`.
import Table from 'cli-table3';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { FIXTURES } from './inventory.ts';

interface Row {
  readonly files: Set<string>;
  passed: number;
  failed: number;
  skipped: number;
}

export default class CoverageReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = new Map<string, Row>();
    for (const module of modules) for (const test of module.children.allTests()) count(rows, module, test);
    const table = new Table({ head: ['fixture', 'test', 'behaviour', 'covered by', 'result'], style: { head: [] } });
    let missing = 0;
    for (const { name, variants, tests } of FIXTURES)
      for (const [test, behaviour] of Object.entries(tests)) {
        const row = rows.get(`${name} ${test}`);
        const runs = Math.max(1, variants.length);
        if (row === undefined || row.passed === 0 || row.failed > 0 || runsOf(row) < runs) missing++;
        table.push([
          name,
          test,
          behaviour,
          [...(row?.files ?? [])].join(', '),
          row === undefined ? 'missing' : result(row, runs),
        ]);
      }
    console.log(table.toString());
    const behaviours = FIXTURES.reduce((sum, { tests }) => sum + Object.keys(tests).length, 0);
    console.log(`${behaviours - missing} of ${behaviours} behaviours hold, in every variant that has them`);
  }
}

function count(rows: Map<string, Row>, module: TestModule, test: TestCase): void {
  const file = module.relativeModuleId.split('/').at(-1) ?? '';
  const key = `${file.split('.')[0]} ${test.name}`;
  const row = rows.get(key) ?? { files: new Set(), passed: 0, failed: 0, skipped: 0 };
  row.files.add(file);
  row[test.result().state === 'pending' ? 'skipped' : (test.result().state as 'passed' | 'failed' | 'skipped')]++;
  rows.set(key, row);
}

function runsOf({ passed, failed, skipped }: Row): number {
  return passed + failed + skipped;
}

/** @param runs one a variant of the fixture. */
function result(row: Row, runs: number): string {
  const { passed, failed, skipped } = row;
  if (failed > 0) return `${failed} FAILED of ${passed + failed}`;
  const absent = skipped === 0 ? '' : `, ${skipped} not in the variant`;
  const missing = runs - runsOf(row);
  return `${passed} passed${absent}${missing > 0 ? `, ${missing} MISSING` : ''}`;
}
