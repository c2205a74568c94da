// Devices of a context: bind makes one an object, unbind ends it.
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import type { Context } from '../context/context.ts';
import { GROUP_CONTEXT, GROUP_DEVICES, GROUP_LOCK } from '../machine/layout.ts';
import { DEVICE_GOING, DEVICE_GROUP, DEVICE_NUMBER, DEVICE_VDEVICE } from '../objects/index.ts';
import { OBJ_DEVICE } from '../uapi/index.ts';
import { destroyVdeviceOf } from '../viommu/index.ts';

/** Runs `body` with a group's lock. Context: offline; takes every lock below it. */
export function withGroup<T>(context: Context, group: number, body: (groupAt: number) => T): T {
  const { machine, words } = context;
  const at = machine.groupAt(group);
  mutexLock(words, at + GROUP_LOCK, machine.self);
  try {
    return body(at);
  } finally {
    mutexUnlock(words, at + GROUP_LOCK, machine.self);
  }
}

/** Binds a device to a context, which then owns its group: no other may bind a device of it. What a driver that is its user does.
 * @param device its number, the driver's and the core's. @returns the device's id.
 * @throws IommuError ENODEV no such device; EINVAL it is not coherent; EPERM its interrupts are not isolated, or another context has the
 * group; EBUSY it is bound already; ENOMEM. @see Linux drivers/iommu/iommufd/device.c iommufd_device_bind() */
export function bindDevice(context: Context, device: number): number {
  return context.machine.blocking(() => bind(context, device));
}

function bind(context: Context, device: number): number {
  const call = 'bind';
  const { machine, objects, words } = context;
  machine.system.checkDevice(call, device);
  const { coherent, isolated, group } = machine.driver.traits(device);
  if (!coherent) throw new IommuError('EINVAL', call, 'device', device, 'is not coherent with the caches');
  if (!isolated) throw new IommuError('EPERM', call, 'device', device, 'its interrupts are not isolated');
  const object = objects.reserve(call, OBJ_DEVICE);
  const at = objects.at(object);
  words[at + DEVICE_NUMBER] = device;
  words[at + DEVICE_GROUP] = group;
  try {
    withGroup(context, group, (groupAt) => {
      const owner = words[groupAt + GROUP_CONTEXT];
      if (owner !== 0 && owner !== context.number)
        throw new IommuError('EPERM', call, 'device', device, `its group ${group} is context ${owner}'s`);
      words[groupAt + GROUP_CONTEXT] = context.number;
      words[groupAt + GROUP_DEVICES]++;
    });
  } catch (error) {
    objects.abort(object);
    throw error;
  }
  context.hold();
  machine.setDeviceId(device, objects.idOf(object));
  objects.hold(object); // its driver's: the user's DESTROY is EBUSY
  return objects.finalize(object);
}

/** Ends a device: its vdevice goes first and leaves a tombstone. It is attached nowhere any more. @throws IommuError ENOENT, EBUSY */
export function unbindDevice(context: Context, id: number): void {
  context.machine.blocking(() => unbind(context, id));
}

function unbind(context: Context, id: number): void {
  const { objects, words } = context;
  const object = objects.get('unbind', 'dev_id', id, OBJ_DEVICE);
  const at = objects.at(object);
  withGroup(context, words[at + DEVICE_GROUP], () => {
    words[at + DEVICE_GOING] = 1;
  });
  if (words[at + DEVICE_VDEVICE] !== 0) destroyVdeviceOf(context, object);
  objects.put(object);
  if (!objects.remove('unbind', object))
    throw new IommuError('EBUSY', 'unbind', 'dev_id', id, `has ${objects.users(object) - 1} users`);
  context.put();
}

/** Destroyer. */
export function endDevice(context: Context, at: number): void {
  const { words, machine } = context;
  machine.setDeviceId(words[at + DEVICE_NUMBER], 0);
  withGroup(context, words[at + DEVICE_GROUP], (groupAt) => {
    if (--words[groupAt + GROUP_DEVICES] === 0) words[groupAt + GROUP_CONTEXT] = 0;
  });
}
