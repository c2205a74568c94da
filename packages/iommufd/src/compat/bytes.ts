import { IommuError } from '@faultline/core/errors';
import type { Caller } from '../caller/index.ts';

/** Reads a legacy struct, which begins with the bytes that the caller has of it. @throws IommuError EFAULT; EINVAL argsz. */
export function readStruct(caller: Caller, call: string, address: bigint, minBytes: number): DataView<ArrayBuffer> {
  const bytes = new Uint8Array(minBytes);
  if (!caller.memory.read(address, bytes))
    throw new IommuError('EFAULT', call, 'argument', address, `${minBytes} bytes cannot be read`);
  const view = new DataView(bytes.buffer);
  const argsz = view.getUint32(0, true);
  if (argsz < minBytes) throw new IommuError('EINVAL', call, 'argsz', argsz, `must be at least ${minBytes}`);
  return view;
}

/** @throws IommuError EFAULT */
export function writeBytes(caller: Caller, call: string, address: bigint, view: DataView<ArrayBuffer>): void {
  if (!caller.memory.write(address, new Uint8Array(view.buffer, view.byteOffset, view.byteLength)))
    throw new IommuError('EFAULT', call, 'argument', address, 'cannot be written');
}
