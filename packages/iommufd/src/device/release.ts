// A device goes as a whole: what closing its file does. @see Linux drivers/vfio/iommufd.c vfio_iommufd_physical_unbind()
import type { Context } from '../context/context.ts';
import { GROUP_ATTACHMENTS } from '../machine/layout.ts';
import { OBJ_DEVICE } from '../uapi/index.ts';
import { detachDevice } from './attach.ts';
import { findMember, groupOf } from './attachments.ts';
import { unbindDevice, withGroup } from './bind.ts';
import { ATTACH_NEXT, ATTACH_PASID } from './layout.ts';

/** Detaches a device from all that it is attached to, with and without a PASID, and unbinds it.
 * @throws IommuError ENOENT; EBUSY another thread attaches or unbinds it meanwhile. */
export function releaseDevice(context: Context, id: number): void {
  for (const pasid of pasidsOf(context, id)) detachDevice(context, id, pasid);
  unbindDevice(context, id);
}

function pasidsOf(context: Context, id: number): number[] {
  const { machine, objects, words } = context;
  const { attachments } = machine.pools;
  const device = objects.get('release', 'dev_id', id, OBJ_DEVICE);
  try {
    return withGroup(context, groupOf(context, device), (groupAt) => {
      const found: number[] = [];
      for (let record = words[groupAt + GROUP_ATTACHMENTS]; record !== 0; ) {
        const at = attachments.at(record);
        if (findMember(context, at, device) !== 0) found.push(words[at + ATTACH_PASID]);
        record = words[at + ATTACH_NEXT];
      }
      return found;
    });
  } finally {
    objects.put(device);
  }
}
