// A device's buffer that can be mapped like a file, and taken away while it is.
import { IommuError } from '@faultline/core/errors';
import { MemoryFile, PAGE_BYTES } from '../../caller/index.ts';
import type { Command } from '../../context/index.ts';
import { FILE_KIND, FILE_MEMORY, FILE_OBJECT } from '../../files/layout.ts';
import type { Lab } from '../lab.ts';
import type { MockDriver } from '../mock/index.ts';
import { TEST_DMABUF_GET, TEST_DMABUF_REVOKE } from './layout.ts';

const MAX_PAGES = 512;

/** Frames of RAM under one descriptor. Another thread opens it by its frames. */
export class DmaBuf extends MemoryFile {
  readonly #driver: MockDriver;

  constructor(ram: Lab['ram'], frames: readonly number[], driver: MockDriver) {
    super(ram, frames);
    this.#driver = driver;
  }

  /** Taken away: no device reaches it any more through what was mapped, nothing of it can be mapped. Given back: it can be mapped again. */
  revoke(revoked: boolean): void {
    this.#driver.mapped.revoke(this.frames, revoked);
  }

  checkMap(call: string, start: bigint, length: bigint): void {
    if (this.#driver.mapped.isRevoked(this.frames[0]))
      throw new IommuError('ENODEV', call, 'fd', start, 'was taken away');
    if (length === 0n || start + length > this.size)
      throw new IommuError('EINVAL', call, 'start', start, `${length} bytes from there leave the buffer`);
  }
}

/** Returns the descriptor. @throws IommuError EINVAL length 0 or above 512 pages, ENOMEM, EMFILE */
export function dmabufGet({
  driver,
  ram,
  mappable,
}: Lab & { readonly driver: MockDriver }): Command<typeof TEST_DMABUF_GET> {
  const call = 'TEST_DMABUF_GET';
  return {
    struct: TEST_DMABUF_GET,
    run(_context, ucmd) {
      const { length } = ucmd.args;
      const pages = Math.ceil(length / PAGE_BYTES);
      if (pages === 0 || pages > MAX_PAGES)
        throw new IommuError('EINVAL', call, 'length', length, `must be from 1 to ${MAX_PAGES} pages`);
      const first = ram.alloc(pages);
      if (first === 0) throw new IommuError('ENOMEM', call, 'length', length, 'no frames are left');
      const frames = Array.from({ length: pages }, (_, i) => first + i);
      const file = new DmaBuf(ram, frames, driver);
      const number = Math.max(0, ...mappable.keys()) + 1;
      try {
        ucmd.result = ucmd.caller.files.install(call, FILE_MEMORY, 0, number);
      } catch (error) {
        file.close();
        throw error;
      }
      mappable.set(number, file);
    },
  };
}

/** @throws IommuError EBADF, EINVAL no such buffer */
export function dmabufRevoke({ mappable }: Lab): Command<typeof TEST_DMABUF_REVOKE> {
  const call = 'TEST_DMABUF_REVOKE';
  return {
    struct: TEST_DMABUF_REVOKE,
    run({ words }, { args, caller }) {
      const fileAt = caller.files.get(call, args.dmabufFd);
      try {
        const file = words[fileAt + FILE_KIND] === FILE_MEMORY ? mappable.get(words[fileAt + FILE_OBJECT]) : undefined;
        if (!(file instanceof DmaBuf))
          throw new IommuError('EINVAL', call, 'dmabuf_fd', args.dmabufFd, 'is no buffer of this kind');
        file.revoke(args.revoked !== 0);
      } finally {
        caller.files.put(fileAt);
      }
    },
  };
}
