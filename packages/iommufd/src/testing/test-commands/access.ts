// Accesses by descriptor: what a test's driver in the kernel does with an IOAS.
import { IommuError } from '@faultline/core/errors';
import {
  accessBytes,
  attachAccess,
  createAccess,
  destroyAccess,
  pinItem,
  replaceAccess,
  unpinItem,
  unpinMeeting,
} from '../../access/index.ts';
import { type Caller, PAGE_BYTES } from '../../caller/index.ts';
import type { Command, Context } from '../../context/index.ts';
import { FILE_ACCESS, FILE_KIND, FILE_OBJECT } from '../../files/layout.ts';
import { Ioas, type RangePage } from '../../ioas/index.ts';
import type { Machine } from '../../machine/index.ts';
import { ACCESS_ALIGNMENT, ACCESS_IOAS } from '../../objects/index.ts';
import type { Lab } from '../lab.ts';
import { physicalOf } from './check.ts';
import {
  TEST_ACCESS_PAGES,
  TEST_ACCESS_REPLACE_IOAS,
  TEST_ACCESS_RW,
  TEST_CREATE_ACCESS,
  TEST_DESTROY_ACCESS_PAGES,
} from './layout.ts';

/** The tests' kind of access: told that a range goes, it lets go of what it has of it. */
export const ACCESS_KIND_TEST = 1;

export const ACCESS_NEEDS_PIN = 1;
export const ACCESS_PAGES_WRITE = 1;
export const ACCESS_RW_WRITE = 1;
export const ACCESS_RW_SLOW_PATH = 4;
/** The IOVA is the number of an area, then an offset in it: for fuzzers. */
export const ACCESS_SYZ = 0x10000;

const MAX_BYTES = 16n * 1024n * 1024n;

/** Has a thread's machine know what test accesses do. */
export function installTestAccess(machine: Machine): void {
  machine.accessUnmaps.set(ACCESS_KIND_TEST, unpinMeeting);
}

export const createTestAccess: Command<typeof TEST_CREATE_ACCESS> = {
  struct: TEST_CREATE_ACCESS,
  run(context, { args, caller, respond }) {
    const call = 'TEST_CREATE_ACCESS';
    checkFlags(call, args.flags, ACCESS_NEEDS_PIN);
    const pins = (args.flags & ACCESS_NEEDS_PIN) !== 0;
    const access = createAccess(context, call, { kind: ACCESS_KIND_TEST, pins });
    let fd = 0;
    try {
      attachAccess(context, call, access, args.id);
      fd = caller.files.reserve(call, FILE_ACCESS, context.number, access);
      args.outAccessFd = fd;
      respond();
    } catch (error) {
      if (fd !== 0) caller.files.abandon(fd);
      destroyAccess(context, access);
      context.put();
      throw error;
    }
    caller.files.publish(fd);
  },
};

export const replaceTestAccess: Command<typeof TEST_ACCESS_REPLACE_IOAS> = {
  struct: TEST_ACCESS_REPLACE_IOAS,
  run(context, { args, caller }) {
    const call = 'TEST_ACCESS_REPLACE_IOAS';
    withAccessFile(context, caller, call, args.id, (access) => replaceAccess(context, call, access, args.ioasId));
  },
};

/** Pins a range, and compares its pages with the caller's, unless uptr is 0. @throws IommuError EBADE other pages, EOPNOTSUPP the access
 * does not pin, ENOMEM more than 16 MiB, and as pinAccess. */
export const accessPages: Command<typeof TEST_ACCESS_PAGES> = {
  struct: TEST_ACCESS_PAGES,
  run(context, { args, caller, respond }) {
    const call = 'TEST_ACCESS_PAGES';
    checkLength(call, args.length);
    checkFlags(call, args.flags, ACCESS_PAGES_WRITE | ACCESS_SYZ);
    withAccessFile(context, caller, call, args.id, (access) => {
      if (context.words[context.objects.at(access) + ACCESS_ALIGNMENT] !== PAGE_BYTES)
        throw new IommuError('EOPNOTSUPP', call, 'id', args.id, 'does not pin pages');
      const iova = (args.flags & ACCESS_SYZ) === 0 ? args.iova : iovaOf(context, access, args.iova);
      const range = { iova, length: args.length };
      pinItem(context, call, access, range, (args.flags & ACCESS_PAGES_WRITE) !== 0, (pages, item) => {
        if (args.uptr !== 0n) comparePages(caller, call, args.uptr - (iova % BigInt(PAGE_BYTES)), pages);
        args.outAccessPagesId = item;
        respond();
      });
    });
  },
};

export const destroyAccessPages: Command<typeof TEST_DESTROY_ACCESS_PAGES> = {
  struct: TEST_DESTROY_ACCESS_PAGES,
  run(context, { args, caller }) {
    const call = 'TEST_DESTROY_ACCESS_PAGES';
    withAccessFile(context, caller, call, args.id, (access) => unpinItem(context, call, access, args.accessPagesId));
  },
};

/** @param ram where the pages' bytes are. */
export function accessRw(ram: Lab['ram']): Command<typeof TEST_ACCESS_RW> {
  const call = 'TEST_ACCESS_RW';
  return {
    struct: TEST_ACCESS_RW,
    run(context, { args, caller }) {
      checkLength(call, args.length);
      checkFlags(call, args.flags, ACCESS_RW_WRITE | ACCESS_RW_SLOW_PATH | ACCESS_SYZ);
      withAccessFile(context, caller, call, args.id, (access) => {
        const iova = (args.flags & ACCESS_SYZ) === 0 ? args.iova : iovaOf(context, access, args.iova);
        const bytes = new Uint8Array(Number(args.length));
        const write = (args.flags & ACCESS_RW_WRITE) !== 0;
        if (write && !caller.memory.read(args.uptr, bytes))
          throw new IommuError('EFAULT', call, 'uptr', args.uptr, 'cannot be read');
        accessBytes(context, call, access, ram.bytes, iova, bytes, write);
        if (!write && !caller.memory.write(args.uptr, bytes))
          throw new IommuError('EFAULT', call, 'uptr', args.uptr, 'cannot be written');
      });
    },
  };
}

/** Runs `body` with the access of a descriptor, which stays open. @throws IommuError EBADFD */
function withAccessFile<T>(
  context: Context,
  { files }: Caller,
  call: string,
  fd: number,
  body: (access: number) => T,
): T {
  const refuse = (): never => {
    throw new IommuError('EBADFD', call, 'id', fd, 'is no access');
  };
  let fileAt = 0;
  try {
    fileAt = files.get(call, fd);
  } catch (error) {
    if (error instanceof IommuError && error.code === 'EBADF') refuse();
    throw error;
  }
  try {
    if (context.words[fileAt + FILE_KIND] !== FILE_ACCESS) refuse();
    return body(context.words[fileAt + FILE_OBJECT]);
  } finally {
    files.put(fileAt);
  }
}

function comparePages(caller: Caller, call: string, uptr: bigint, pages: readonly RangePage[]): void {
  pages.forEach(({ physical }, i) => {
    const wanted = physicalOf(caller, call, uptr + BigInt(i * PAGE_BYTES));
    if (wanted !== physical)
      throw new IommuError('EBADE', call, 'uptr', uptr, `page ${i} is at ${wanted}, and ${physical} was pinned`);
  });
}

/** Low half: number of an area. High half: offset in it. 0 where there is none. */
function iovaOf(context: Context, access: number, packed: bigint): bigint {
  const ioas = context.words[context.objects.at(access) + ACCESS_IOAS];
  if (ioas === 0) return 0n;
  const tables = new Ioas(context, ioas);
  return tables.readAreas(() => {
    let area = tables.areas.first();
    for (let left = Number(packed & 0xffffffffn); left > 0 && area !== 0; left--) area = tables.areas.next(area);
    return area === 0 ? 0n : tables.areas.start(area) + (packed >> 32n);
  });
}

function checkLength(call: string, length: bigint): void {
  if (length > MAX_BYTES) throw new IommuError('ENOMEM', call, 'length', length, `more than ${MAX_BYTES}`);
}

function checkFlags(call: string, flags: number, known: number): void {
  if ((flags & ~known) !== 0) throw new IommuError('EOPNOTSUPP', call, 'flags', flags, 'has bits that are not known');
}
