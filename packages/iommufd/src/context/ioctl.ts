// The dispatcher: from a request number and an address in the caller's memory to a command, and back to bytes and an errno.
import { IommuError } from '@faultline/core/errors';
import { type Caller, PAGE_BYTES } from '../caller/index.ts';
import {
  type Args,
  CMD_BASE,
  checkArgs,
  clearOutputs,
  decodeInto,
  defaultArgs,
  encodeOutputs,
  fieldIn,
  hasOutputs,
  IOMMUFD_TYPE,
  reservedInUse,
  type Struct,
  spanOf,
} from '../uapi/index.ts';
import type { AnyCommand, Command } from './command.ts';
import type { Context } from './context.ts';

const SIZE_BYTES = 4;

/** One command, ready to be called with bytes. */
interface Entry {
  readonly command: AnyCommand;
  readonly request: number;
  readonly responds: boolean;
  /** The bytes that are written back. */
  readonly answer: readonly [start: number, end: number];
  /** For one call's struct, as bytes and decoded: a call from within a call of the same command has its own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly args: Args<Struct>;
  isBusy: boolean;
}

function entryOf(command: AnyCommand): Entry {
  const { struct } = command;
  const bytes = new Uint8Array(struct.bytes);
  return {
    command,
    request: (IOMMUFD_TYPE << 8) | struct.nr,
    responds: hasOutputs(struct) && command.respondsItself !== true,
    answer: command.answersIn === undefined ? [0, struct.bytes] : spanOf(struct, command.answersIn),
    bytes,
    view: new DataView(bytes.buffer),
    args: defaultArgs(struct),
    isBusy: false,
  };
}

/** The ioctls of /dev/iommu by number. Make one a thread. */
export class Dispatcher {
  readonly #entries: readonly (Entry | undefined)[];
  readonly #size = new Uint8Array(SIZE_BYTES);
  readonly #sizeView = new DataView(this.#size.buffer);
  /** Legacy VFIO numbers. */
  readonly #legacy: ((context: Context, caller: Caller, request: number, address: bigint) => number) | undefined;
  /** What was refused last, for who got a number only. */
  lastError: IommuError | undefined;

  constructor(
    commands: readonly AnyCommand[],
    legacy?: (context: Context, caller: Caller, request: number, address: bigint) => number,
  ) {
    const entries: (Entry | undefined)[] = [];
    for (const command of commands) entries[command.struct.nr] = entryOf(command);
    this.#entries = Array.from(entries); // holes become undefined
    this.#legacy = legacy;
  }

  /** @param address of the struct in the caller's memory. @returns 0 or more, or a negative errno; {@link lastError} says why. */
  ioctl(context: Context, caller: Caller, request: number, address: bigint): number {
    this.lastError = undefined;
    const { machine } = context;
    try {
      if (!machine.system.reader.isOnline()) return this.#dispatch(context, caller, request, address);
      return machine.blocking(() => this.#dispatch(context, caller, request, address));
    } catch (error) {
      if (!(error instanceof IommuError)) throw error;
      this.lastError = error;
      return -error.errno;
    }
  }

  #dispatch(context: Context, caller: Caller, request: number, address: bigint): number {
    const nr = request & 0xff;
    if (nr < CMD_BASE || nr >= this.#entries.length) {
      if (this.#legacy !== undefined) return this.#legacy(context, caller, request, address);
      throw new IommuError('ENOTTY', 'ioctl', 'request', request, 'no such request');
    }
    const entry = this.#entries[nr];
    if (entry === undefined || entry.request !== request) {
      this.#readSize(caller, address);
      throw new IommuError('ENOTTY', 'ioctl', 'request', request, 'no such request');
    }
    if (entry.isBusy) return this.#call(context, caller, entryOf(entry.command), address);
    entry.isBusy = true;
    try {
      return this.#call(context, caller, entry, address);
    } finally {
      entry.isBusy = false;
    }
  }

  /** Most callers give the whole struct, which is read in one go then. */
  #call(context: Context, caller: Caller, entry: Entry, address: bigint): number {
    const { command, bytes, view } = entry;
    const { struct } = command;
    const isRead = caller.memory.read(address, bytes);
    const size = isRead ? view.getUint32(0, true) : this.#readSize(caller, address);
    if (size < struct.minBytes)
      throw new IommuError('EINVAL', struct.name, 'size', size, `must be at least ${struct.minBytes}`);
    const given = size < struct.bytes ? bytes.subarray(0, size) : bytes;
    if (!isRead && !caller.memory.read(address, given))
      throw new IommuError('EFAULT', struct.name, 'argument', address, `${size} bytes cannot be read`);
    if (size > struct.bytes) checkTail(caller, struct, size, address);
    if (size < struct.bytes) bytes.fill(0, size); // a tail that the caller did not give
    return run(context, caller, entry, given, address);
  }

  /** @throws IommuError EFAULT */
  #readSize(caller: Caller, address: bigint): number {
    if (!caller.memory.read(address, this.#size))
      throw new IommuError('EFAULT', 'ioctl', 'argument', address, 'its size cannot be read');
    return this.#sizeView.getUint32(0, true);
  }
}

/** Runs a command on the struct in its entry. @param given the part of it that the caller has. */
function run(context: Context, caller: Caller, entry: Entry, given: Uint8Array, address: bigint): number {
  const { command, responds, answer, view, args } = entry;
  const [start, end] = answer;
  const { struct } = command;
  decodeInto(struct, view, args);
  let responded = !responds;
  const respond = (): void => {
    encodeOutputs(struct, args, view);
    const isWritten =
      start === 0
        ? caller.memory.write(address, given)
        : caller.memory.write(address + BigInt(start), given.subarray(start, end));
    if (!isWritten) throw new IommuError('EFAULT', struct.name, 'argument', address, 'cannot be written back');
    responded = true;
  };
  try {
    const reserved = reservedInUse(struct, view);
    if (reserved !== undefined) {
      if (command.alwaysResponds === true) clearOutputs(struct, args); // nothing was handled
      throw new IommuError('EOPNOTSUPP', struct.name, reserved, fieldIn(struct, view, reserved), 'must be 0');
    }
    const ucmd = { caller, args, respond, result: 0 };
    (command as Command).run(context, ucmd);
    if (!responded) respond();
    return ucmd.result;
  } catch (error) {
    if (command.alwaysResponds === true && !responded) respond();
    throw error;
  }
}

/** Page by page: what stands before the end of memory counts. @throws IommuError EFAULT; E2BIG bytes that this version does not know are not 0. */
function checkTail(caller: Caller, struct: Struct, size: number, address: bigint): void {
  const inPage = Number(BigInt.asUintN(64, address) % BigInt(PAGE_BYTES));
  for (let from = struct.bytes, end: number; from < size; from = end) {
    end = Math.min(size, from + PAGE_BYTES - ((inPage + from) % PAGE_BYTES));
    const tail = new Uint8Array(end - from);
    if (!caller.memory.read(address + BigInt(from), tail))
      throw new IommuError('EFAULT', struct.name, 'argument', address, `${size} bytes cannot be read`);
    if (tail.some((byte) => byte !== 0))
      throw new IommuError(
        'E2BIG',
        struct.name,
        'size',
        size,
        `only ${struct.bytes} bytes are known, and the rest is not 0`,
      );
  }
}

const RESPOND_NOTHING = (): void => {};

/** Calls a command without bytes. @param args what is left out is 0; outputs are in what is returned, also if it throws where the
 * caller keeps the object. @throws IommuError EINVAL an argument that its field cannot hold, and what the command throws. */
export function callCommand<S extends Struct>(
  context: Context,
  caller: Caller,
  command: Command<S>,
  args: Partial<Args<S>>,
): Args<S> {
  const whole = { ...defaultArgs(command.struct), ...args };
  checkArgs(command.struct, whole);
  context.machine.blocking(() => command.run(context, { caller, args: whole, respond: RESPOND_NOTHING, result: 0 }));
  return whole;
}
