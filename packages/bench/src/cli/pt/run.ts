// One `pt` from options to exit code.
import { writeFileSync } from 'node:fs';
import { IommuError } from '@faultline/core/errors';
import { allocPageTable, openPageTable, type PageTable } from '@faultline/hw/page-table';
import { writeOut } from '../output.ts';
import type { TextSink } from '../progress.ts';
import { UsageError } from '../request.ts';
import { EXIT_FAILED, EXIT_OK } from '../run.ts';
import { formatOf } from './formats.ts';
import type { Operation } from './operations.ts';
import { tableJson } from './tree-json.ts';

/** As commander hands them over, but for the operations. */
export interface PtOptions {
  readonly format: string;
  readonly json?: string;
}

/** What `pt` needs of the process. */
export interface PtHost {
  readonly out: TextSink;
  readonly err: TextSink;
}

const STANDARD = '-';
const MAX_LEVELS = 6;
/** 256 MiB of tables of 4 KiB; untouched ones cost nothing. */
const MAX_TABLES = 2 ** 16;

/** @returns 0, 1 when the table refused an operation: that is told, and the rest done all the same. @throws UsageError */
export async function runPt(operations: readonly Operation[], options: PtOptions, host: PtHost): Promise<number> {
  const format = formatOf(options.format);
  if (operations.length === 0) throw new UsageError('give --map IOVA:OA:LENGTH');
  const { table } = openPageTable(allocPageTable(format, { tables: tablesFor(operations) }), format);
  let code: number = EXIT_OK;
  for (const operation of operations) {
    const note = carryOut(table, operation);
    if (note === undefined) continue;
    if (note.refused) code = EXIT_FAILED;
    host.err.write(`--${operation.kind} ${operation.text}: ${note.text}\n`);
  }
  const { json } = options;
  const text = json === undefined ? '' : `${JSON.stringify(tableJson(table, format))}\n`;
  if (json !== undefined && json !== STANDARD) save(json, text);
  await writeOut(host.out, json === STANDARD ? text : `${table.describe().join('\n')}\n`);
  return code;
}

/** @returns what is to be told, if anything. */
function carryOut(table: PageTable, operation: Operation): { text: string; refused: boolean } | undefined {
  try {
    if (operation.kind === 'map') {
      table.map(operation.page, operation.oaPage, operation.pages, operation.prot);
      return undefined;
    }
    const unmapped = table.unmap(operation.page, operation.pages);
    table.gather.sync();
    if (unmapped === operation.pages) return undefined;
    return { text: `unmapped ${unmapped * 4096} bytes of ${operation.pages * 4096}`, refused: false };
  } catch (error) {
    if (!(error instanceof IommuError)) throw error;
    return { text: error.message, refused: true };
  }
}

/** As many as the ranges can need, at each level one for 512 of the level below and two at the ends. */
function tablesFor(operations: readonly Operation[]): number {
  let tables = MAX_LEVELS;
  for (const { pages } of operations)
    for (let level = 1; level <= MAX_LEVELS; level++) tables += Math.floor(pages / 512 ** level) + 2;
  return Math.min(tables, MAX_TABLES);
}

function save(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`--json = ${JSON.stringify(file)}: cannot be written: ${(error as Error).message}`);
  }
}
