import type { EntryField, Format, LeafView, PageTable } from '@faultline/hw/page-table';

export interface TableJson {
  readonly format: string;
  /** From the root down, and by address. Addresses and entries are hex text: JSON has no number that holds 64 bits. */
  readonly tables: { readonly table: number; readonly level: number; readonly iova: string }[];
  readonly leaves: {
    readonly iova: string;
    readonly oa: string;
    readonly bytes: number;
    readonly level: number;
    readonly entry: string;
    /** Those that are not zero, the address left out. */
    readonly fields: Record<string, number>;
  }[];
}

/** The table for programs. */
export function tableJson(table: PageTable, format: Format): TableJson {
  const json: TableJson = { format: format.name, tables: [], leaves: [] };
  table.visit({
    table: (number, level, page) => json.tables.push({ table: number, level, iova: address(page) }),
    leaf(leaf) {
      const { page, oaPage, pages, level, lo, hi } = leaf;
      const entry = `0x${((BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0)).toString(16)}`;
      const fields = fieldsOf(format, leaf);
      json.leaves.push({ iova: address(page), oa: address(oaPage), bytes: pages * 4096, level, entry, fields });
    },
  });
  return json;
}

function fieldsOf(format: Format, { lo, hi }: LeafView): Record<string, number> {
  const values = format.fields
    .filter(({ where, hi: top, lo: bottom }) => where !== 'table' && top >> 5 === bottom >> 5) // an address crosses the halves
    .map((field) => [field.name, fieldValue(field, lo, hi)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== 0));
}

function fieldValue(field: EntryField, lo: number, hi: number): number {
  const half = field.lo >= 32 ? hi : lo;
  return (half >>> (field.lo & 31)) & (2 ** (field.hi - field.lo + 1) - 1);
}

function address(page: number): string {
  return `0x${(BigInt(page) * 4096n).toString(16)}`;
}
