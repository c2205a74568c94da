// /dev/iommu for users of this language: each ioctl as a method. Inputs are small objects, outputs are values; memory that a call copies is
// an array. Every method may throw, beside what it says: IommuError EBADF closed; EINVAL, ENOENT, ENOMEM as errno.ts says.
import { IommuError } from '@faultline/core/errors';
import { BYTES_AT, BytesMemory, type Caller } from './caller/index.ts';
import { vfioIoctl } from './compat/vfio.ts';
import { COMMANDS, type Command, Context, callCommand, Dispatcher, openContext } from './context/index.ts';
import { attachDevice, bindDevice, detachDevice, releaseDevice, replaceDevice, unbindDevice } from './device/index.ts';
import type { IovaRange } from './driver/index.ts';
import { FILE_CONTEXT, FILE_IOMMU, FILE_KIND, FILE_SERIAL } from './files/layout.ts';
import { OpenEventFile, OpenFaultFile } from './files/streams/index.ts';
import { bitmapBytes, dataArgs, decodeRanges, encodeRanges, hwptFlags, mapFlags, RANGE_BYTES } from './iommufd-args.ts';
import type * as input from './iommufd-inputs.ts';
import type { Machine } from './machine/index.ts';
import * as uapi from './uapi/index.ts';

/** Room for the first try: more ranges or a longer answer are asked for again. */
const FIRST_RANGES = 32;
const FIRST_INFO_BYTES = 64;

const commands = new Map(COMMANDS.map((command) => [command.struct, command]));

/** An open /dev/iommu, as one thread uses it: a descriptor of the caller's process. Others open the same by its number.
 * @see Linux Documentation/userspace-api/iommufd.rst */
export class Iommufd {
  readonly machine: Machine;
  readonly caller: Caller;
  /** Its descriptor. */
  readonly fd: number;
  readonly #context: Context;
  /** Of its file: the descriptor may name another by now. */
  readonly #serial: number;
  /** Devices bound here: as their files, they go with this. */
  readonly #devices = new Set<number>();
  #dispatcher: Dispatcher | undefined;

  /** Takes a descriptor that is open: another thread's. @throws IommuError EBADF it is not open; ENOTTY it is something else. */
  constructor(machine: Machine, caller: Caller, fd: number) {
    const fileAt = caller.files.get('Iommufd', fd);
    try {
      if (machine.words[fileAt + FILE_KIND] !== FILE_IOMMU)
        throw new IommuError('ENOTTY', 'Iommufd', 'fd', fd, 'is not /dev/iommu');
      this.#context = new Context(machine, machine.words[fileAt + FILE_CONTEXT]);
      this.#serial = machine.words[fileAt + FILE_SERIAL];
    } finally {
      caller.files.put(fileAt);
    }
    this.machine = machine;
    this.caller = caller;
    this.fd = fd;
  }

  /** Opens /dev/iommu: a new context, in which there is nothing. @throws IommuError ENOMEM every context is open; EMFILE */
  static open(machine: Machine, caller: Caller): Iommufd {
    const context = openContext(machine);
    let fd: number;
    try {
      fd = caller.files.install('open', FILE_IOMMU, context.number, 0);
    } catch (error) {
      context.put();
      throw error;
    }
    return new Iommufd(machine, caller, fd);
  }

  /** Detaches and unbinds the devices that were bound here, then closes the descriptor. The context ends with its last file: until they are
   * closed, fault and event files keep it. Closed already: nothing. @throws IommuError EBUSY a device is being attached on another thread */
  close(): void {
    this.machine.blocking(() => {
      // Each holds the context: also where another thread has closed the descriptor.
      for (const devId of this.#devices) {
        releaseDevice(this.#context, devId);
        this.#devices.delete(devId);
      }
      if (this.#isOpen()) this.caller.files.close(this.fd);
    });
  }
  [Symbol.dispose](): void {
    this.close();
  }

  // Address spaces

  /** Makes an empty I/O address space. @returns its id. @see Linux drivers/iommu/iommufd/ioas.c iommufd_ioas_alloc_ioctl() */
  ioasAlloc(): number {
    return this.#call(uapi.IOAS_ALLOC, {}).outIoasId;
  }

  /** Maps the caller's memory for devices; it stays pinned while a domain or an access has it. @returns its IOVA.
   * @throws IommuError EINVAL alignment, reserved; EEXIST something is mapped there; ENOSPC no room; EFAULT no memory; ENOMEM its limit;
   * EOVERFLOW. @see Linux drivers/iommu/iommufd/ioas.c iommufd_ioas_map() */
  ioasMap({ ioasId, userVa, length, iova, ...protection }: input.MapInput): bigint {
    const flags = mapFlags(protection, iova);
    return this.#call(uapi.IOAS_MAP, { flags, ioasId, userVa, length, iova: iova ?? 0n }).iova;
  }

  /** Maps a file's memory. @returns its IOVA. @throws IommuError as {@link ioasMap}; EBADF */
  ioasMapFile({ ioasId, fd, start, length, iova, ...protection }: input.MapFileInput): bigint {
    const flags = mapFlags(protection, iova);
    return this.#call(uapi.IOAS_MAP_FILE, { flags, ioasId, fd, start: start ?? 0n, length, iova: iova ?? 0n }).iova;
  }

  /** Maps what is mapped already once more, in the same or another IOAS: pages are shared and pinned once. @returns its IOVA there.
   * @throws IommuError as {@link ioasMap}; ENOENT the source has a hole; EPERM it cannot be written to */
  ioasCopy({ srcIoasId, srcIova, length, dstIoasId, dstIova, ...protection }: input.CopyInput): bigint {
    const flags = mapFlags(protection, dstIova);
    const args = { flags, srcIoasId, srcIova, length, dstIoasId, dstIova: dstIova ?? 0n };
    return this.#call(uapi.IOAS_COPY, args).dstIova;
  }

  /** Unmaps whole mappings that lie in a range; {@link EVERYTHING} may find nothing. Afterwards no device reaches them. @returns bytes.
   * @throws IommuError ENOENT nothing is there, or a mapping sticks out; EBUSY, EDEADLK it is held: what went before stays unmapped */
  ioasUnmap(range: input.UnmapInput): bigint {
    return this.#call(uapi.IOAS_UNMAP, range).length;
  }

  /** Where mappings may go: what no attached device has reserved. @see Linux drivers/iommu/iommufd/ioas.c iommufd_ioas_iova_ranges() */
  ioasIovaRanges(ioasId: number): input.IovaRanges {
    for (let numIovas = FIRST_RANGES; ; numIovas *= 2) {
      const bytes = new Uint8Array(numIovas * RANGE_BYTES);
      try {
        const args = this.#call(uapi.IOAS_IOVA_RANGES, { ioasId, numIovas, allowedIovas: BYTES_AT }, bytes);
        return { ranges: decodeRanges(bytes, args.numIovas), alignment: args.outIovaAlignment };
      } catch (error) {
        if (!(error instanceof IommuError && error.code === 'EMSGSIZE')) throw error;
      }
    }
  }

  /** Says where mappings without an IOVA may go, and that no device may reserve there. The whole list at once; none: anywhere.
   * @throws IommuError EINVAL they overlap, or are empty; EADDRINUSE one is reserved */
  ioasAllowIovas(ioasId: number, ranges: readonly IovaRange[]): void {
    const args = { ioasId, numIovas: ranges.length, allowedIovas: BYTES_AT };
    this.#call(uapi.IOAS_ALLOW_IOVAS, args, encodeRanges('IOAS_ALLOW_IOVAS', ranges));
  }

  /** Asks for an option, or sets it. @returns its value. @throws IommuError EOPNOTSUPP; EPERM, EBUSY, EINVAL it cannot be set (so) */
  option({ optionId, objectId, value }: input.OptionInput): bigint {
    const op = value === undefined ? uapi.OPTION_OP_GET : uapi.OPTION_OP_SET;
    return this.#call(uapi.OPTION, { optionId, op, objectId: objectId ?? 0, val64: value ?? 0n }).val64;
  }

  /** Which IOAS legacy VFIO calls mean. @returns its id, asked for. @throws IommuError ENODEV there is none; ENOENT */
  vfioIoas({ op, ioasId }: input.VfioIoasInput): number {
    return this.#call(uapi.VFIO_IOAS, { op, ioasId: ioasId ?? 0 }).ioasId;
  }

  /** Charges what is pinned to this caller: after a VMM has handed its descriptors on. @throws IommuError EINVAL something mapped is no
   * file's; ENOMEM the caller's limit */
  changeProcess(): void {
    this.#call(uapi.IOAS_CHANGE_PROCESS, {});
  }

  /** Where mapped and pinned memory is, for a device that no IOMMU is in front of. @returns the address and how many bytes follow it. */
  noiommuGetPa(range: input.NoiommuInput): { readonly physical: bigint; readonly length: bigint } {
    const { outPhys, length } = this.#call(uapi.IOAS_NOIOMMU_GET_PA, range);
    return { physical: outPhys, length };
  }

  // Page tables

  /** Makes a page table that devices are attached to. @returns its id. @throws IommuError ENOENT devId, faultId; EINVAL ptId, data; EOPNOTSUPP
   * what the device's IOMMU cannot. @see Linux drivers/iommu/iommufd/hw_pagetable.c iommufd_hwpt_alloc() */
  hwptAlloc(hwpt: input.HwptInput): number {
    const { devId, ptId, faultId = 0, dataType = uapi.HWPT_DATA_NONE, data } = hwpt;
    const args = { flags: hwptFlags(hwpt), devId, ptId, faultId, dataType, ...dataArgs(data) };
    return this.#call(uapi.HWPT_ALLOC, args, data).outHwptId;
  }

  /** Turns the recording of pages that devices write to on, everything being clean then, or off.
   * @throws IommuError EOPNOTSUPP the HWPT was not made for it */
  setDirtyTracking(hwptId: number, enable: boolean): void {
    this.#call(uapi.HWPT_SET_DIRTY_TRACKING, { hwptId, flags: enable ? uapi.DIRTY_TRACKING_ENABLE : 0 });
  }

  /** Which pages were written to since they were last asked for. Maps and unmaps go on meanwhile. A hole ends the walk.
   * @returns bit i, from the lowest of byte 0: the page at `iova + i * pageSize`. @throws IommuError EINVAL alignment; EOVERFLOW; EOPNOTSUPP
   * @see Linux drivers/iommu/iommufd/hw_pagetable.c iommufd_hwpt_get_dirty_bitmap() */
  getDirtyBitmap({ noClear, bitmap, ...range }: input.DirtyBitmapInput): Uint8Array {
    const bits = bitmap ?? new Uint8Array(bitmapBytes(range.length, range.pageSize));
    const flags = noClear === true ? uapi.GET_DIRTY_BITMAP_NO_CLEAR : 0;
    this.#call(uapi.HWPT_GET_DIRTY_BITMAP, { ...range, flags, data: BYTES_AT }, bits);
    return bits;
  }

  /** Invalidates what a guest asks for, in order, up to the first entry that is refused: which is no exception, as some took effect. */
  hwptInvalidate({ hwptId, dataType, entryBytes, entries }: input.InvalidateInput): input.InvalidateResult {
    const bytes = entries ?? new Uint8Array(0);
    const args = {
      ...uapi.defaultArgs(uapi.HWPT_INVALIDATE),
      ...{ hwptId, dataType, entryLen: entryBytes, dataUptr: BYTES_AT },
      entryNum: entryBytes === 0 ? 0 : Math.ceil(bytes.length / entryBytes),
    };
    try {
      this.#run(uapi.HWPT_INVALIDATE, args, bytes);
      return { handled: args.entryNum, refusal: undefined };
    } catch (error) {
      if (error instanceof IommuError && error.code !== 'EBADF') return { handled: args.entryNum, refusal: error };
      throw error;
    }
  }

  // Faults and events

  /** Makes a queue of faults for user space. Its file is to be closed before it can be destroyed. @throws IommuError ENOMEM, EMFILE */
  faultQueueAlloc(): { readonly faultId: number; readonly faultFd: number } {
    const { outFaultId, outFaultFd } = this.#call(uapi.FAULT_QUEUE_ALLOC, {});
    return { faultId: outFaultId, faultFd: outFaultFd };
  }

  /** Makes a queue of a vIOMMU's events of a type: one of each. @throws IommuError EEXIST, ENOENT, EINVAL depth, ENOMEM, EMFILE */
  veventqAlloc({ viommuId, type, depth }: input.VeventqInput): { veventqId: number; veventqFd: number } {
    const args = this.#call(uapi.VEVENTQ_ALLOC, { viommuId, type, veventqDepth: depth });
    return { veventqId: args.outVeventqId, veventqFd: args.outVeventqFd };
  }

  /** Opens a fault queue's file in this thread: groups by `for await`, or as a stream of bytes. @throws IommuError EBADF */
  openFaultFile(fd: number): OpenFaultFile {
    return new OpenFaultFile(this.machine, this.caller.files, fd);
  }

  /** Opens an event queue's file in this thread, likewise. @throws IommuError EBADF */
  openEventFile(fd: number): OpenEventFile {
    return new OpenEventFile(this.machine, this.caller.files, fd);
  }

  // Virtual machines

  /** Makes a slice of a device's IOMMU for a machine. @returns its id. @throws IommuError EOPNOTSUPP type; ENOENT; EINVAL no nesting parent */
  viommuAlloc({ type, devId, hwptId, data }: input.ViommuInput): number {
    return this.#call(uapi.VIOMMU_ALLOC, { type, devId, hwptId, ...dataArgs(data) }, data).outViommuId;
  }

  /** Makes a device known to a vIOMMU by the machine's number. @returns its id. @throws IommuError EEXIST; EINVAL another IOMMU's; ENOENT */
  vdeviceAlloc(vdevice: input.VdeviceInput): number {
    return this.#call(uapi.VDEVICE_ALLOC, vdevice).outVdeviceId;
  }

  /** Hands a hardware queue to a machine, its memory pinned. @returns its id. @throws IommuError ENOENT, EPERM, EFAULT its memory; EEXIST */
  hwQueueAlloc({ iova, ...queue }: input.HwQueueInput): number {
    return this.#call(uapi.HW_QUEUE_ALLOC, { ...queue, nestingParentIova: iova }).outHwQueueId;
  }

  // Devices: what a driver that is iommufd's user does, such as VFIO

  /** Binds a device of the machine. @returns its id, which only this object unbinds.
   * @throws IommuError ENODEV, EBUSY it is bound; EPERM another context has its group */
  bind(device: number): number {
    const devId = this.#held('bind', (context) => bindDevice(context, device));
    this.#devices.add(devId);
    return devId;
  }

  /** @throws IommuError EBUSY it is attached; ENOENT not bound here */
  unbind(devId: number): void {
    if (!this.#devices.has(devId)) throw new IommuError('ENOENT', 'unbind', 'dev_id', devId, 'was not bound here');
    this.#held('unbind', (context) => unbindDevice(context, devId));
    this.#devices.delete(devId);
  }

  /** The device's accesses, or those of one of its PASIDs, are translated by an HWPT from here on; by an IOAS: by one that is found or made.
   * @returns the HWPT's id. @throws IommuError EBUSY it is attached; EINVAL, ENOENT; EADDRINUSE reserved ranges are mapped */
  attach(devId: number, ptId: number, pasid: number = 0): number {
    return this.#held('attach', (context) => attachDevice(context, devId, { ptId, pasid }));
  }

  /** Attaches another in place, with no gap. What the old one's faults have not been answered, is. @returns the HWPT's id.
   * @throws IommuError as {@link attach}, the old one stays */
  replace(devId: number, ptId: number, pasid: number = 0): number {
    return this.#held('replace', (context) => replaceDevice(context, devId, { ptId, pasid }));
  }

  /** Its accesses fault from here on; nothing is left of its faults. What is not attached is left alone. */
  detach(devId: number, pasid: number = 0): void {
    this.#held('detach', (context) => detachDevice(context, devId, pasid));
  }

  /** What a device's IOMMU says of itself. @param type HW_INFO_TYPE_*, left out: its own. @throws IommuError EOPNOTSUPP it has not that type */
  getHwInfo(devId: number, type?: number): input.HwInfoResult {
    const flags = type === undefined ? 0 : uapi.HW_INFO_FLAG_INPUT_TYPE;
    for (let dataLen = FIRST_INFO_BYTES; ; ) {
      const bytes = new Uint8Array(dataLen);
      const input = { flags, devId, dataType: type ?? 0, dataLen, dataUptr: BYTES_AT };
      const args = this.#call(uapi.GET_HW_INFO, input, bytes);
      if (args.dataLen > dataLen) dataLen = args.dataLen;
      else
        return {
          type: args.dataType,
          bytes: bytes.subarray(0, args.dataLen),
          maxPasidLog2: args.outMaxPasidLog2,
          capabilities: args.outCapabilities,
        };
    }
  }

  // All objects

  /** Ends an object. @throws IommuError ENOENT; EBUSY others use it, a device or an access its driver */
  destroy(id: number): void {
    this.#call(uapi.DESTROY, { id });
  }

  /** An ioctl by bytes, as a C program makes it. @param address of its struct in the caller's memory.
   * @returns 0 or more, or a negative errno, of which {@link lastError} says why. */
  ioctl(request: number, address: bigint): number {
    this.#dispatcher ??= new Dispatcher(COMMANDS, vfioIoctl);
    const dispatcher = this.#dispatcher;
    return this.#held('ioctl', (context) => dispatcher.ioctl(context, this.caller, request, address));
  }

  /** What {@link ioctl} refused last; none when it did not. */
  get lastError(): IommuError | undefined {
    return this.#dispatcher?.lastError;
  }

  /** @param bytes memory of the call, at BYTES_AT. */
  #call<S extends uapi.Struct>(struct: S, args: Partial<uapi.Args<S>>, bytes?: Uint8Array): uapi.Args<S> {
    return this.#held(struct.name, (context) => callCommand(context, this.#callerWith(bytes), commandOf(struct), args));
  }

  /** As {@link #call}, outputs being in `args` also when it throws. */
  #run<S extends uapi.Struct>(struct: S, args: uapi.Args<S>, bytes: Uint8Array): void {
    uapi.checkArgs(struct, args);
    const ucmd = { caller: this.#callerWith(bytes), args, respond() {}, result: 0 };
    this.#held(struct.name, (context) => this.machine.blocking(() => commandOf(struct).run(context, ucmd)));
  }

  #callerWith(bytes: Uint8Array | undefined): Caller {
    const { mm, files, privileged } = this.caller;
    return bytes === undefined ? this.caller : { mm, files, privileged, memory: new BytesMemory(bytes) };
  }

  /** Runs a call while the descriptor holds the context. @throws IommuError EBADF */
  #held<T>(call: string, body: (context: Context) => T): T {
    const { machine, caller } = this;
    const fileAt = caller.files.get(call, this.fd);
    try {
      if (machine.words[fileAt + FILE_SERIAL] !== this.#serial)
        throw new IommuError('EBADF', call, 'fd', this.fd, 'is another file by now');
      return body(this.#context);
    } finally {
      machine.blocking(() => caller.files.put(fileAt));
    }
  }

  #isOpen(): boolean {
    try {
      return this.#held('close', () => true);
    } catch (error) {
      if (error instanceof IommuError && error.code === 'EBADF') return false;
      throw error;
    }
  }
}

function commandOf<S extends uapi.Struct>(struct: S): Command<S> {
  const command = commands.get(struct);
  if (command === undefined) throw new IommuError('ENOTTY', struct.name, 'nr', struct.nr, 'no such command');
  return command as Command<S>;
}
