// The descriptors of one process: numbers, lowest free first, each naming a file. Shared by the process's threads.
//
// Ordering. [P] publish: the file's words, then REFS    pairs with  [C] get: REFS, then the words
// A number is reserved first, for a file with no reference, and published once nothing can fail any more: until then it is no open file's.
// A file is freed with its last reference: a descriptor's or a running call's. A get that meets a file as it comes or goes raises REFS from
// above 0 or not at all, and looks at the slot again.
import { IommuError } from '@faultline/core/errors';
import { refcountGet, refcountIncNotZero, refcountInit, refcountPut, type Words } from '@faultline/core/sync';
import type { Xarray } from '@faultline/core/xarray';
import type { FailPoint, RecordPool } from '../memory/index.ts';
import { FILE_CONTEXT, FILE_KIND, FILE_OBJECT, FILE_REFS, FILE_SERIAL } from './layout.ts';

/** Descriptors 0 to 2 are the process's own. */
const FIRST_FD = 3;
const MAX_FD = 1023;

export interface FileTableParts {
  readonly words: Words;
  /** From descriptor to file. */
  readonly fds: Xarray;
  readonly pool: RecordPool;
  readonly fail: FailPoint;
  /** A descriptor of a file is closed: who waits on it must look again. The file is held. */
  readonly closed: (fileAt: number) => void;
  /** Ends a file that nobody refers to any more; its record is freed afterwards. */
  readonly release: (fileAt: number) => void;
}

/** One thread's way to a process's descriptors. */
export class FileTable {
  readonly #parts: FileTableParts;

  constructor(parts: FileTableParts) {
    this.#parts = parts;
  }

  /** Opens a file. @returns its descriptor. @throws IommuError EMFILE, ENOMEM */
  install(call: string, kind: number, context: number, object: number): number {
    const fd = this.reserve(call, kind, context, object);
    this.publish(fd);
    return fd;
  }

  /** Takes a descriptor that names nothing before it is published: {@link publish} or {@link abandon} it.
   * @throws IommuError EMFILE, ENOMEM */
  reserve(call: string, kind: number, context: number, object: number): number {
    const { words, pool, fds, fail } = this.#parts;
    const file = pool.alloc(call);
    const at = pool.at(file);
    words[at + FILE_KIND] = kind;
    words[at + FILE_CONTEXT] = context;
    words[at + FILE_OBJECT] = object;
    words[at + FILE_SERIAL] = Atomics.add(words, pool.at(0) + FILE_SERIAL, 1) + 1;
    const fails = fail.fails('fd');
    const fd = fails ? -1 : fds.alloc(file, FIRST_FD, MAX_FD);
    if (fd >= 0) return fd;
    pool.free(file); // without a reference: nobody can hold it
    throw new IommuError('EMFILE', call, 'fd', MAX_FD, fails ? 'made to fail' : 'every descriptor is in use');
  }

  /** Opens a reserved descriptor. Any thread may close it from here on. */
  publish(fd: number): void {
    const { words, pool, fds } = this.#parts;
    refcountInit(words, pool.at(fds.load(fd)) + FILE_REFS, 1); // [P]
  }

  /** Gives a reserved descriptor back. What its file would have kept is the caller's. */
  abandon(fd: number): void {
    const { pool, fds } = this.#parts;
    pool.free(fds.erase(fd));
  }

  /** Holds the file of a descriptor for a running call: {@link put} it. @returns its word offset. @throws IommuError EBADF */
  get(call: string, fd: number): number {
    const { words, pool, fds } = this.#parts;
    const file = fds.load(fd);
    if (file !== 0) {
      const at = pool.at(file);
      const isHeld = refcountIncNotZero(words, at + FILE_REFS); // [C]
      if (isHeld) {
        if (fds.load(fd) === file) return at;
        this.put(at);
      }
    }
    throw new IommuError('EBADF', call, 'fd', fd, 'is no open file');
  }

  put(fileAt: number): void {
    const { words, pool, release } = this.#parts;
    if (!refcountPut(words, fileAt + FILE_REFS)) return;
    release(fileAt);
    pool.free(pool.indexOf(fileAt)); // its slot is empty, and it was the last reference
  }

  /** Another descriptor of the same file. @throws IommuError EBADF, EMFILE */
  dup(call: string, fd: number): number {
    const { words, pool, fds, fail } = this.#parts;
    const at = this.get(call, fd);
    refcountGet(words, at + FILE_REFS);
    const copy = fail.fails('fd') ? -1 : fds.alloc(pool.indexOf(at), FIRST_FD, MAX_FD);
    if (copy < 0) this.put(at);
    this.put(at);
    if (copy < 0) throw new IommuError('EMFILE', call, 'fd', MAX_FD, 'every descriptor is in use');
    return copy;
  }

  /** Closes a descriptor; its file goes with the last one, and the last call on it. @throws IommuError EBADF */
  close(fd: number): void {
    const { pool, fds, closed } = this.#parts;
    const call = 'FileTable.close';
    const at = this.get(call, fd); // nothing that is only reserved
    const file = pool.indexOf(at);
    const isClosed = fds.compareExchange(fd, file, 0) === file;
    if (isClosed) {
      closed(at);
      this.put(at);
    }
    this.put(at);
    if (!isClosed) throw new IommuError('EBADF', call, 'fd', fd, 'is no open file');
  }

  /** Descriptors that are open or reserved. */
  count(): number {
    return this.#parts.fds.count();
  }
}
