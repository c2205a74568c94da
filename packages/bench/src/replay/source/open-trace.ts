import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

const CHUNK_BYTES: number = 256 * 1024;
const GZIP_MAGIC = 0x8b1f;

export interface TraceFile {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Bytes of the file, 0 where nobody knows: standard input. */
  readonly bytes: number;
  /** Bytes of the file that were read until now. */
  readonly position: () => number;
}

/** Opens a trace to be read in pieces, unpacking what is packed by gzip. @param file or `-`: standard input.
 * @throws what the file system says. */
export async function openTrace(file: string): Promise<TraceFile> {
  if (file === '-') return { chunks: process.stdin, bytes: 0, position: () => 0 };
  const handle = await open(file);
  const head = new Uint8Array(2);
  const { bytesRead } = await handle.read(head, 0, 2, 0);
  const { size } = await handle.stat();
  await handle.close();
  const raw = createReadStream(file, { highWaterMark: CHUNK_BYTES });
  const isPacked = bytesRead === 2 && (head[0] | (head[1] << 8)) === GZIP_MAGIC;
  return { chunks: isPacked ? unpacked(raw) : raw, bytes: size, position: () => raw.bytesRead };
}

function unpacked(raw: Readable): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  raw.on('error', (error) => gunzip.destroy(error));
  return raw.pipe(gunzip);
}
