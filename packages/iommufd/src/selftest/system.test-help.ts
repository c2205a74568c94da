// A machine as the kernel's selftest sees it: descriptors, structs in process memory, errno. Nothing here knows an object but by its id.
import { ERRNO, IommuError } from '@faultline/core/errors';
import { expect } from 'vitest';
import { type Caller, MemoryFile, PAGE_BYTES, type ProcessMemory } from '../caller/index.ts';
import { vfioIoctl } from '../compat/index.ts';
import { Context, type Dispatcher, openContext } from '../context/index.ts';
import { EventFile } from '../files/event-file.ts';
import { FaultFile } from '../files/fault-file.ts';
import {
  FILE_CONTEXT,
  FILE_EVENTS,
  FILE_FAULT,
  FILE_IOMMU,
  FILE_KIND,
  FILE_MEMORY,
  FILE_OBJECT,
} from '../files/layout.ts';
import { FAULT_QUEUE, VEVENTQ_BODY } from '../objects/index.ts';
import { createMockLab, type MockLab, type MockLabConfig, openMockLab } from '../testing/mock-lab.ts';
import { type TestStruct, testDispatcher } from '../testing/test-commands/index.ts';
import { type Args, decodeStruct, defaultArgs, encodeStruct, IOMMUFD_TYPE, type Struct } from '../uapi/index.ts';

/** Errno's name by its number. */
const NAMES = new Map<number, string>(Object.entries(ERRNO).map(([name, number]) => [number, name]));

export const PAGE: number = PAGE_BYTES;
export const MOCK_PAGE: number = PAGE_BYTES / 2;
export const HUGE: number = 2 ** 21;
/** Pages of scratch memory for structs, and for what they point to. */
const SCRATCH_PAGES = 4;
const MAX_FDS = 1024;

/** A process's request by its type and number. */
export function request(nr: number): number {
  return (IOMMUFD_TYPE << 8) | nr;
}

/** A process that calls. */
export class Process {
  readonly system: System;
  readonly caller: Caller & { readonly memory: ProcessMemory };
  readonly memory: ProcessMemory;
  /** CAP_SYS_RESOURCE and CAP_IPC_LOCK. */
  privileged = true;
  readonly #argument: bigint;

  constructor(system: System, number: number) {
    this.system = system;
    this.caller = system.lab.caller(number);
    this.memory = this.caller.memory;
    this.#argument = this.memory.mmap(SCRATCH_PAGES * PAGE);
  }

  get files(): Caller['files'] {
    return this.caller.files;
  }

  /** Opens /dev/iommu. */
  open(): Device {
    const context = openContext(this.system.lab.machine);
    try {
      return new Device(this, this.files.install('open', FILE_IOMMU, context.number, 0));
    } catch (error) {
      context.put();
      throw error;
    }
  }

  /** The same /dev/iommu by a descriptor that a child has inherited. */
  inherit(device: Device): Device {
    const context = device.context();
    context.hold();
    return new Device(this, this.files.install('fork', FILE_IOMMU, context.number, 0));
  }

  /** @returns the call's result, or a negative errno. */
  ioctl(fd: number, nr: number, address: bigint): number {
    const fileAt = this.files.get('ioctl', fd);
    try {
      const { lab, dispatcher } = this.system;
      const { words } = lab.machine;
      expect(words[fileAt + FILE_KIND]).toBe(FILE_IOMMU);
      const caller = { ...this.caller, privileged: this.privileged };
      return dispatcher.ioctl(new Context(lab.machine, words[fileAt + FILE_CONTEXT]), caller, nr, address);
    } finally {
      this.files.put(fileAt);
    }
  }

  read(fd: number, address: bigint, count: number, offset: number = 0): number {
    return this.#file(fd, (file) => file.read(this.memory, address, count, offset));
  }

  write(fd: number, address: bigint, count: number, offset: number = 0): number {
    return this.#file(fd, (file) => {
      if (file instanceof EventFile) throw new IommuError('EBADF', 'write', 'fd', fd, 'is not written to');
      return file.write(this.memory, address, count, offset);
    });
  }

  poll(fd: number): number {
    return this.#file(fd, (file) => file.poll());
  }

  /** @returns what `body` does, or a negative errno. */
  #file(fd: number, body: (file: FaultFile | EventFile) => number): number {
    const { machine } = this.system.lab;
    const { words } = machine;
    try {
      const fileAt = this.files.get('file', fd);
      try {
        const kind = words[fileAt + FILE_KIND];
        const objectAt = machine.pools.objects.at(words[fileAt + FILE_OBJECT]);
        if (kind === FILE_FAULT) return body(new FaultFile(machine, words[objectAt + FAULT_QUEUE]));
        expect(kind).toBe(FILE_EVENTS);
        return body(new EventFile(machine, words[objectAt + VEVENTQ_BODY]));
      } finally {
        this.files.put(fileAt);
      }
    } catch (error) {
      if (error instanceof IommuError) return -error.errno;
      throw error;
    }
  }

  /** A memfd of fresh pages. */
  memfd(bytes: number, options: { readonly huge?: boolean } = {}): { readonly fd: number; readonly file: MemoryFile } {
    const { number, file } = this.makeFile(bytes, options);
    return { fd: this.openFile(number), file };
  }

  /** Its pages, which stay until the end of the test, and */
  makeFile(
    bytes: number,
    options: { readonly huge?: boolean } = {},
  ): { readonly number: number; readonly file: MemoryFile } {
    const { lab } = this.system;
    const file = MemoryFile.create(lab.ram, bytes, options);
    const number = Math.max(0, ...lab.mappable.keys()) + 1;
    lab.mappable.set(number, file);
    return { number, file };
  }

  /** a descriptor of them. */
  openFile(number: number): number {
    return this.files.install('memfd', FILE_MEMORY, 0, number);
  }

  /** Encodes a struct where ioctls are called with. @param more bytes behind the struct. @returns its address. */
  encode<S extends Struct>(struct: S, args: Partial<Args<S>>, size: number = struct.bytes, more: number = 0): bigint {
    const bytes = new Uint8Array(struct.bytes + 8).fill(more);
    const view = new DataView(bytes.buffer);
    bytes.fill(0, 0, struct.bytes);
    encodeStruct(struct, args, view);
    view.setUint32(0, size, true);
    expect(this.memory.write(this.#argument, bytes)).toBe(true);
    return this.#argument;
  }

  decode<S extends Struct>(struct: S): Args<S> {
    const view = new DataView(this.bytes(this.#argument, struct.bytes).buffer);
    // As the caller, to whom everything is a field to be read.
    const fields = Object.fromEntries(
      Object.entries(struct.fields).map(([name, [kind, at, way]]) => [
        name,
        [kind, at, way === 'reserved' ? way : 'in'],
      ]),
    );
    return decodeStruct({ ...struct, fields } as unknown as S, view);
  }

  bytes(address: bigint, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    expect(this.memory.read(address, bytes)).toBe(true);
    return bytes;
  }

  /** Puts bytes into fresh memory. @returns their address. */
  place(bytes: Uint8Array): bigint {
    const address = this.memory.mmap(Math.max(1, bytes.length));
    expect(this.memory.write(address, bytes)).toBe(true);
    return address;
  }

  words(...values: readonly number[]): bigint {
    return this.place(new Uint8Array(Uint32Array.from(values).buffer));
  }
}

/** What had to succeed and did not. */
export class Refused extends Error {
  readonly errno: string;

  constructor(call: string, errno: string, cause: Error | undefined) {
    super(`${call}: ${errno}: ${cause?.message}`, { cause });
    this.errno = errno;
  }
}

/** An open /dev/iommu of a process. */
export class Device {
  readonly process: Process;
  readonly fd: number;

  constructor(process: Process, fd: number) {
    this.process = process;
    this.fd = fd;
  }

  /** Errno's name that a call was refused with; '' for none. */
  errno<S extends Struct>(struct: S, args: Partial<Args<S>> = {}): string {
    return this.raw(struct, args).errno;
  }

  /** Calls what must succeed. @returns the struct as it came back. */
  call<S extends Struct>(struct: S, args: Partial<Args<S>> = {}): Args<S> {
    const { errno, out } = this.raw(struct, args);
    if (errno !== '') throw new Refused(struct.name, errno, this.process.system.dispatcher.lastError);
    return out;
  }

  raw<S extends Struct>(
    struct: S,
    args: Partial<Args<S>> = {},
  ): { readonly errno: string; readonly result: number; readonly out: Args<S> } {
    const { process } = this;
    const op = 'op' in struct ? { op: (struct as unknown as TestStruct).op } : {};
    const address = process.encode(struct, { ...defaultArgs(struct), ...args, ...op } as Partial<Args<S>>);
    const result = process.ioctl(this.fd, request(struct.nr), address);
    return { errno: errnoName(result), result, out: process.decode(struct) };
  }

  /** Its context, for what has no call. */
  context(): Context {
    const { machine } = this.process.system.lab;
    const fileAt = this.process.files.get('context', this.fd);
    try {
      return new Context(machine, machine.words[fileAt + FILE_CONTEXT]);
    } finally {
      this.process.files.put(fileAt);
    }
  }
}

export function errnoName(result: number): string {
  if (result >= 0) return '';
  return NAMES.get(-result) ?? `errno ${-result}`;
}

/** The machine, and all that runs on it. */
export class System {
  readonly lab: MockLab;
  readonly dispatcher: Dispatcher;
  /** The process that tests run in. */
  readonly process: Process;

  constructor(config: MockLabConfig = {}) {
    this.lab = openMockLab(createMockLab(config));
    this.dispatcher = testDispatcher(this.lab, vfioIoctl);
    this.process = new Process(this, 1);
  }

  /** A child of the test's process: its memory, and the descriptor of a device. */
  fork(device: Device): { readonly process: Process; readonly device: Device } {
    this.process.memory.forkInto(this.lab.processes[1]);
    const process = new Process(this, 2);
    return { process, device: process.inherit(device) };
  }

  exit({ process, device }: { readonly process: Process; readonly device: Device }): void {
    process.files.close(device.fd);
    process.memory.exit();
  }

  /** Closes every descriptor of the test's process, and asks for everything back but its memory. */
  closeAll(): void {
    const { lab, process } = this;
    for (let fd = 0; process.files.count() > 0 && fd < MAX_FDS; fd++) if (isOpen(process, fd)) process.files.close(fd);
    const live = lab.machine.live();
    expect(live).toEqual(Object.fromEntries(Object.keys(live).map((name) => [name, 0])));
    expect(lab.ram.pinned()).toBe(0);
    expect(lab.driver.pages.used()).toBe(0);
    expect(lab.machine.system.handles.live()).toBe(0);
  }

  /** The end of a test: everything is back. */
  expectNothingLeft(): void {
    const { lab, process } = this;
    this.closeAll();
    process.memory.exit();
    for (const file of lab.mappable.values()) (file as MemoryFile).close();
    expect(lab.ram.used()).toBe(0);
  }
}

function isOpen({ files }: Process, fd: number): boolean {
  try {
    files.put(files.get('close', fd));
    return true;
  } catch (error) {
    if (error instanceof IommuError) return false;
    throw error;
  }
}
