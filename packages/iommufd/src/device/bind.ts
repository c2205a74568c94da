// Devices of a context: bind makes one an object, unbind ends it.
import { IommuError } from '@faultline/core/errors';
import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import type { Context } from '../context/context.ts';
import { GROUP_CONTEXT, GROUP_DEVICES, GROUP_LOCK } from '../machine/layout.ts';
import { DEVICE_GOING, DEVICE_GROUP, DEVICE_NUMBER, DEVICE_VDEVICE, ID_TOMBSTONE } from '../objects/index.ts';
import { OBJ_DEVICE } from '../uapi/index.ts';
import { isAttached } from './attachments.ts';

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
 * @param device its number, the driver's and the core's. @param keepsContext the context lives on until it is unbound. @returns the device's id.
 * @throws IommuError ENODEV no such device; EINVAL it is not coherent; EPERM its interrupts are not isolated, or another context has the
 * group; EBUSY it is bound already; ENOMEM. @see Linux drivers/iommu/iommufd/device.c iommufd_device_bind() */
export function bindDevice(context: Context, device: number, keepsContext: boolean = true): number {
  return context.machine.blocking(() => bind(context, device, keepsContext));
}

function bind(context: Context, device: number, keepsContext: boolean): number {
  const call = 'bind';
  const { machine, objects, words } = context;
  machine.system.checkDevice(call, device);
  const { coherent, isolated, group } = machine.driver.traits(device);
  if (!coherent) throw new IommuError('EINVAL', call, 'device', device, 'is not coherent with the caches');
  if (!isolated) throw new IommuError('EPERM', call, 'device', device, 'its interrupts are not isolated');
  return withGroup(context, group, (groupAt) => {
    const owner = words[groupAt + GROUP_CONTEXT];
    if (owner !== 0 && owner !== context.number)
      throw new IommuError('EPERM', call, 'device', device, `its group ${group} is context ${owner}'s`);
    if (machine.deviceIdOf(device) !== 0) throw new IommuError('EBUSY', call, 'device', device, 'is bound');
    const object = objects.reserve(call, OBJ_DEVICE); // all that can fail
    const at = objects.at(object);
    words[at + DEVICE_NUMBER] = device;
    words[at + DEVICE_GROUP] = group;
    words[groupAt + GROUP_CONTEXT] = context.number;
    words[groupAt + GROUP_DEVICES]++;
    if (keepsContext) context.hold();
    machine.setDeviceId(device, objects.idOf(object));
    objects.hold(object); // its driver's: the user's DESTROY is EBUSY
    return objects.finalize(object);
  });
}

/** Ends a device: its vdevice goes first and leaves a tombstone. Waits for calls that use it.
 * @param keepsContext as it was bound.
 * @throws IommuError ENOENT; EBUSY it is attached, or being unbound: nothing has changed. */
export function unbindDevice(context: Context, id: number, keepsContext: boolean = true): void {
  context.machine.blocking(() => unbind(context, id, keepsContext));
}

function unbind(context: Context, id: number, keepsContext: boolean): void {
  const { objects } = context;
  const object = objects.get('unbind', 'dev_id', id, OBJ_DEVICE);
  try {
    const vdevice = startUnbind(context, object, id);
    if (vdevice !== 0) objects.removeWaiting('unbind', vdevice, ID_TOMBSTONE);
  } finally {
    objects.put(object);
  }
  objects.removeWaiting('unbind', object);
  if (keepsContext) context.put();
}

/** From here on it gets no vdevice. @returns the one that it has, held; 0: none, or one whose own destroyer is at it, and is waited for. */
function startUnbind(context: Context, object: number, id: number): number {
  const { objects, words } = context;
  const at = objects.at(object);
  return withGroup(context, words[at + DEVICE_GROUP], (groupAt) => {
    if (words[at + DEVICE_GOING] === 1) throw new IommuError('EBUSY', 'unbind', 'dev_id', id, 'is being unbound');
    if (isAttached(context, groupAt, object)) throw new IommuError('EBUSY', 'unbind', 'dev_id', id, 'is attached');
    words[at + DEVICE_GOING] = 1;
    // A vdevice leaves its device under this lock, before its row goes: what is named here is one.
    const vdevice = words[at + DEVICE_VDEVICE];
    return vdevice !== 0 && objects.tryHold(vdevice) ? vdevice : 0;
  });
}

/** Destroyer: it is attached nowhere. */
export function endDevice(context: Context, at: number): void {
  const { words, machine } = context;
  const number = words[at + DEVICE_NUMBER];
  withGroup(context, words[at + DEVICE_GROUP], (groupAt) => {
    machine.answering(() => machine.path.removeDevice(number)); // from here on it cannot fault
    machine.setDeviceId(number, 0);
    if (--words[groupAt + GROUP_DEVICES] === 0) words[groupAt + GROUP_CONTEXT] = 0;
  });
  machine.releaseParams();
}
