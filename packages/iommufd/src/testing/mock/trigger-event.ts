import { IommuError } from '@faultline/core/errors';
import type { Machine } from '../../machine/index.ts';
import { reportEvent } from '../../veventq/index.ts';
import { MOCK_VEVENTQ_TYPE } from './constants.ts';
import type { MockDriver } from './driver.ts';

/** Reports an event of a device, as its hardware would, on the calling thread: its payload is the number that the machine knows it by.
 * @throws IommuError ENOENT it is not attached through a vIOMMU, or its number is 0; EOPNOTSUPP nobody made a queue; ENOMEM */
export function triggerMockEvent(machine: Machine, driver: MockDriver, device: number): void {
  const isReported = driver.viommus.withEvents(device, (viommu, virtId) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, Number(BigInt.asUintN(32, virtId)), true);
    reportEvent(machine, viommu, MOCK_VEVENTQ_TYPE, bytes);
  });
  if (!isReported)
    throw new IommuError(
      'ENOENT',
      'triggerMockEvent',
      'device',
      device,
      'is attached through no vIOMMU, or has number 0',
    );
}
