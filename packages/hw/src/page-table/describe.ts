// A page table as lines, for people: a debug dump that runs beside everything else. It owns no range and takes no lock, so what it
// shows was never there all at once. What holds: every line was true when its slots were read, the lines ascend and never overlap,
// and the dump ends whatever it meets. The grace period keeps the tables that it is in whole, though they may be unlinked by now.
import { MAX_PAGES } from './addresses.ts';
import { peekEntry, seenHi } from './entry.ts';
import { EMPTY, type EntryField, TABLE } from './format.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import { outputPage } from './lookup.ts';
import type { TableTree } from './table-tree.ts';

/** A leaf as a dump or a test sees it. Pages are of 4 KiB. */
export interface LeafView {
  readonly page: number;
  readonly pages: number;
  /** Pages of the whole leaf. More than `pages` where it took its place when the dump was past its first slots already: then `page`
   * and `oaPage` are those of its rest. */
  readonly leafPages: number;
  readonly oaPage: number;
  readonly level: number;
  readonly lo: number;
  readonly hi: number;
}

/** What a dump meets: tables on the way down, leaves in the order of their addresses. */
export interface TableVisitor {
  table?(table: number, level: number, page: number): void;
  leaf?(leaf: LeafView): void;
  /** A table entry that names no table in use: damage. Nothing is below it. */
  stray?(page: number, level: number, lo: number, hi: number): void;
}

/** Walks the whole table, beside whatever else goes on. */
export function visitTable(tree: TableTree, visitor: TableVisitor): void {
  const top = tree.top();
  visit(tree, top >>> TOP_TABLE_SHIFT, top & TOP_LEVEL_MASK, 0, tree.format.signExtended, visitor);
}

/** @param halves the table is a root whose upper slots are the highest addresses. */
function visit(
  tree: TableTree,
  table: number,
  level: number,
  page: number,
  halves: boolean,
  visitor: TableVisitor,
): void {
  const { format, geometry, entries } = tree;
  visitor.table?.(table, level, page);
  const item = geometry.itemPages[level];
  for (let index = 0; index < tree.slots(table); ) {
    const lo = peekEntry(entries, tree.at(table, index));
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    const high = halves && index >= geometry.slots / 2 ? MAX_PAGES - geometry.slots * item : 0;
    const at = page + high + index * item;
    if (kind === TABLE) {
      const below = tree.findTable(lo, hi);
      if (below === 0) visitor.stray?.(at, level, lo, hi);
      else visit(tree, below, level - 1, at, false, visitor);
    }
    if (kind === EMPTY || kind === TABLE) {
      index++;
      continue;
    }
    const slots = tree.leafSlots(lo, hi, level);
    const rest = slots - (index % slots);
    const oaPage = outputPage(tree, lo, hi, level, at);
    visitor.leaf?.({ page: at, pages: rest * item, leafPages: slots * item, oaPage, level, lo, hi });
    index += rest;
  }
}

/** The table as a tree, one line a table and one a run of leaves that continue one another. */
export function describeTree(tree: TableTree): string[] {
  const lines: string[] = [];
  let top = 0; // as it was when the dump began: it may grow meanwhile
  let run: LeafView | undefined;
  let count = 0;
  const flush = (): void => {
    if (run !== undefined) lines.push(leafLine(tree, run, count, top));
    run = undefined;
  };
  visitTable(tree, {
    table(table, level, page) {
      flush();
      if (lines.length === 0) {
        top = level;
        lines.push(`${tree.format.name}: top level ${level}, table ${table}`);
      } else lines.push(`${indent(top, level)}level ${level} from ${hex(page)}: table ${table}`);
    },
    stray(page, level, lo, hi) {
      flush();
      const entry = `0x${((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toString(16)}`;
      lines.push(`${indent(top, level - 1)}${hex(page)}: no table that is in use: ${entry}`);
    },
    leaf(leaf) {
      if (run !== undefined && continues(tree, run, count, leaf)) {
        count++;
        return;
      }
      flush();
      run = leaf;
      count = 1;
    },
  });
  flush();
  return lines;
}

function continues(tree: TableTree, run: LeafView, count: number, leaf: LeafView): boolean {
  return (
    leaf.level === run.level &&
    leaf.leafPages === run.leafPages &&
    leaf.pages === run.pages &&
    leaf.page === run.page + count * run.pages &&
    leaf.oaPage === run.oaPage + count * run.pages &&
    flags(tree, leaf) === flags(tree, run)
  );
}

function leafLine(tree: TableTree, leaf: LeafView, count: number, top: number): string {
  const times = count === 1 ? '' : ` × ${count}`;
  const whole = leaf.pages === leaf.leafPages ? '' : ` of ${sizeName(leaf.leafPages)}`;
  const size = `${sizeName(leaf.pages)}${whole}${times}`;
  return `${indent(top, leaf.level - 1)}${hex(leaf.page)} → ${hex(leaf.oaPage)}  ${size}  ${flags(tree, leaf)}`.trimEnd();
}

/** Fields of a leaf that are not zero; those wider than a bit with their values. Addresses left out. */
function flags({ format }: TableTree, { lo, hi }: LeafView): string {
  return format.fields
    .filter(({ where, name }) => where !== 'table' && name !== 'OA' && name !== 'PPN')
    .map((field) => ({ field, value: fieldValue(field, lo, hi) }))
    .filter(({ value }) => value !== 0)
    .map(({ field, value }) => (field.hi === field.lo ? field.name : `${field.name}=${value}`))
    .join(' ');
}

/** A field of at most 31 bits that does not cross the halves. */
function fieldValue(field: EntryField, lo: number, hi: number): number {
  const half = field.lo >= 32 ? hi : lo;
  const width = field.hi - field.lo + 1;
  return (half >>> (field.lo & 31)) & (2 ** width - 1);
}

function indent(top: number, level: number): string {
  return '  '.repeat(top - level);
}

function hex(page: number): string {
  return `0x${page.toString(16).padStart(9, '0')}000`;
}

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
function sizeName(pages: number): string {
  let unit = 0;
  let size = pages * 4;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size} ${UNITS[unit]}`;
}
