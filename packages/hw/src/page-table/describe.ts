// A page table as lines, for people: a debug dump that runs beside everything else. It owns no range and takes no lock.
import { peekEntry, seenHi } from './entry.ts';
import { EMPTY, type EntryField, PAGE_LG2, TABLE } from './format.ts';
import { TOP_LEVEL_MASK, TOP_TABLE_SHIFT } from './layout.ts';
import { outputPage } from './lookup.ts';
import type { TableTree } from './table-tree.ts';

/** A leaf as a dump or a test sees it. Pages are of 4 KiB. */
export interface LeafView {
  readonly page: number;
  readonly pages: number;
  readonly oaPage: number;
  readonly level: number;
  readonly lo: number;
  readonly hi: number;
}

/** What a dump meets: tables on the way down, leaves in the order of their addresses. */
export interface TableVisitor {
  table?(table: number, level: number, page: number): void;
  leaf?(leaf: LeafView): void;
}

/** Walks the whole table, beside whatever else goes on. @throws IommuError EFAULT an entry names no table. */
export function visitTable(tree: TableTree, visitor: TableVisitor): void {
  const top = tree.top();
  visit(tree, top >>> TOP_TABLE_SHIFT, top & TOP_LEVEL_MASK, 0, visitor);
}

function visit(tree: TableTree, table: number, level: number, page: number, visitor: TableVisitor): void {
  const { format, geometry, entries } = tree;
  visitor.table?.(table, level, page);
  const item = geometry.itemPages[level];
  const half = format.signExtended && level === (tree.top() & TOP_LEVEL_MASK) ? geometry.slots / 2 : 0;
  for (let index = 0; index < tree.slots(table); ) {
    const lo = peekEntry(entries, tree.at(table, index));
    const hi = seenHi();
    const kind = format.kind(lo, hi, level);
    // The upper half of a sign-extended root is the top of the address space.
    const high = half > 0 && index >= half ? 2 ** (64 - PAGE_LG2) - geometry.slots * item : 0;
    const at = page + high + index * item;
    if (kind === TABLE) visit(tree, tree.tableOf(lo, hi), level - 1, at, visitor);
    if (kind === EMPTY || kind === TABLE) {
      index++;
      continue;
    }
    const slots = tree.leafSlots(lo, hi, level);
    visitor.leaf?.({ page: at, pages: slots * item, oaPage: outputPage(tree, lo, hi, level, at), level, lo, hi });
    index += slots;
  }
}

/** The table as a tree, one line a table and one a run of leaves that continue one another. */
export function describeTree(tree: TableTree): string[] {
  const { format } = tree;
  const lines = [`${format.name}: top level ${tree.top() & TOP_LEVEL_MASK}, table ${tree.top() >>> TOP_TABLE_SHIFT}`];
  let run: LeafView | undefined;
  let count = 0;
  const flush = (): void => {
    if (run !== undefined) lines.push(leafLine(tree, run, count));
    run = undefined;
  };
  visitTable(tree, {
    table(table, level, page) {
      flush();
      if (level !== (tree.top() & TOP_LEVEL_MASK))
        lines.push(`${indent(tree, level)}level ${level} from ${hex(page)}: table ${table}`);
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
    leaf.pages === run.pages &&
    leaf.page === run.page + count * run.pages &&
    leaf.oaPage === run.oaPage + count * run.pages &&
    flags(tree, leaf) === flags(tree, run)
  );
}

function leafLine(tree: TableTree, leaf: LeafView, count: number): string {
  const times = count === 1 ? '' : ` × ${count}`;
  const size = `${sizeName(leaf.pages)}${times}`;
  return `${indent(tree, leaf.level - 1)}${hex(leaf.page)} → ${hex(leaf.oaPage)}  ${size}  ${flags(tree, leaf)}`.trimEnd();
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

function indent(tree: TableTree, level: number): string {
  return '  '.repeat((tree.top() & TOP_LEVEL_MASK) - level);
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
