// What `pt` is asked to do: ranges of bytes on the command line, of 4 KiB pages from here on.
import { PROT_CACHE, PROT_MMIO, PROT_NOEXEC, PROT_PRIV, PROT_READ, PROT_WRITE } from '@faultline/hw/page-table';
import { UsageError } from '../request.ts';

export interface MapOperation {
  readonly kind: 'map';
  /** As it was given. */
  readonly text: string;
  readonly page: number;
  readonly oaPage: number;
  readonly pages: number;
  readonly prot: number;
}

export interface UnmapOperation {
  readonly kind: 'unmap';
  readonly text: string;
  readonly page: number;
  readonly pages: number;
}

export type Operation = MapOperation | UnmapOperation;

const PROT_LETTERS: Readonly<Record<string, number>> = {
  ...{ r: PROT_READ, w: PROT_WRITE, c: PROT_CACHE, n: PROT_NOEXEC, m: PROT_MMIO, p: PROT_PRIV },
};
const UNITS: Readonly<Record<string, bigint>> = { k: 10n, m: 20n, g: 30n, t: 40n };

/** Reads IOVA:OA:LENGTH[:prot]. @throws UsageError */
export function parseMap(text: string): MapOperation {
  const parts = text.split(':');
  if (parts.length !== 3 && parts.length !== 4)
    throw refusal('map', text, 'must be IOVA:OA:LENGTH or IOVA:OA:LENGTH:prot');
  const [page, oaPage, pages] = parts.slice(0, 3).map((part) => parsePages('map', text, part));
  return { kind: 'map', text, page, oaPage, pages, prot: parseProt(text, parts[3] ?? 'rw') };
}

/** Reads IOVA:LENGTH. @throws UsageError */
export function parseUnmap(text: string): UnmapOperation {
  const parts = text.split(':');
  if (parts.length !== 2) throw refusal('unmap', text, 'must be IOVA:LENGTH');
  const [page, pages] = parts.map((part) => parsePages('unmap', text, part));
  return { kind: 'unmap', text, page, pages };
}

/** Bytes to pages: 64 bits do not fit a number, 52 do. */
function parsePages(option: string, text: string, part: string): number {
  const match = /^(0x[0-9a-f]+|[0-9]+)([kmgt]?)(?:i?b)?$/i.exec(part);
  if (match === null || part.length > 24)
    throw refusal(option, text, `${JSON.stringify(part)} is no number of bytes: 0x1000, 4096 or 4K`);
  const bytes = BigInt(match[1]) << (UNITS[match[2].toLowerCase()] ?? 0n);
  if (bytes % 4096n !== 0n) throw refusal(option, text, `${part} is no multiple of 4096`);
  if (bytes > 2n ** 64n) throw refusal(option, text, `${part} is beyond 64 bits`);
  return Number(bytes / 4096n);
}

function parseProt(text: string, letters: string): number {
  let prot = 0;
  for (const letter of letters) {
    const bit = PROT_LETTERS[letter];
    if (bit === undefined)
      throw refusal('map', text, `${JSON.stringify(letters)} has other letters than r, w, c, n, m, p`);
    prot |= bit;
  }
  return prot;
}

function refusal(option: string, text: string, why: string): UsageError {
  return new UsageError(`--${option} = ${JSON.stringify(text)}: ${why}`);
}
