// Calls by bytes: a struct in a page of the caller's memory, its answer from there.
import { ERRNO, type ErrnoName } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import { vfioIoctl } from '../compat/index.ts';
import { COMMANDS, Dispatcher } from '../context/index.ts';
import { type Args, decodeStruct, encodeStruct, IOMMUFD_TYPE, type Struct } from '../uapi/index.ts';
import type { MockLabConfig } from './mock-lab.ts';
import { makeRig, type Rig } from './rig.test-help.ts';

export interface ByteRig extends Rig {
  readonly dispatcher: Dispatcher;
  /** Where arguments are. */
  readonly page: bigint;
  /** An ioctl on arguments that are in place. @returns the errno's name, or the result. */
  ioctl(request: number, address?: bigint): ErrnoName | number;
  /** Puts a struct there, of `size` bytes (default: its own), and calls. */
  send<S extends Struct>(struct: S, args?: Partial<Args<S>>, size?: number): ErrnoName | number;
  /** What stands in the page, as a struct. */
  received<S extends Struct>(struct: S): { readonly [N in keyof S['fields']]: number | bigint };
}

export function makeByteRig(config: MockLabConfig = {}): ByteRig {
  const rig = makeRig(config);
  const { lab, context, memory } = rig;
  const dispatcher = new Dispatcher(COMMANDS, vfioIoctl);
  const page = memory.mmap(PAGE_BYTES);
  const caller = lab.caller(1);
  const ioctl = (request: number, address: bigint = page): ErrnoName | number => {
    const result = dispatcher.ioctl(context, caller, request, address);
    return result < 0 ? errnoName(-result) : result;
  };
  return {
    ...rig,
    dispatcher,
    page,
    ioctl,
    send(struct, args = {}, size = struct.bytes) {
      const bytes = new Uint8Array(Math.max(size, struct.bytes));
      const view = new DataView(bytes.buffer);
      encodeStruct(struct, args, view);
      view.setUint32(0, size, true);
      memory.write(page, bytes);
      return ioctl((IOMMUFD_TYPE << 8) | struct.nr);
    },
    received(struct) {
      const bytes = new Uint8Array(struct.bytes);
      memory.read(page, bytes);
      const fields = Object.fromEntries(
        Object.entries(struct.fields).map(([name, [kind, at]]) => [name, [kind, at, 'in']]),
      );
      return decodeStruct({ ...struct, fields } as Struct, new DataView(bytes.buffer)) as never;
    },
  };
}

function errnoName(errno: number): ErrnoName {
  const found = Object.entries(ERRNO).find(([, number]) => number === errno);
  if (found === undefined) throw new Error(`errno ${errno} has no name`);
  return found[0] as ErrnoName;
}
