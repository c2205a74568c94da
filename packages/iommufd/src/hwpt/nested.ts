// HWPT_NESTED: a guest's own page tables on top of a parent's, or of a vIOMMU's.
import { IommuError } from '@faultline/core/errors';
import type { Context } from '../context/context.ts';
import type { DriverData } from '../driver/index.ts';
import {
  DEVICE_NUMBER,
  HWPT_AUTO,
  HWPT_DOMAIN,
  HWPT_FLAGS,
  HWPT_IOAS,
  HWPT_IOMMU,
  HWPT_PARENT,
  HWPT_VIOMMU,
  VIOMMU_HWPT,
  VIOMMU_IOMMU,
  VIOMMU_NUMBER,
} from '../objects/index.ts';
import { HWPT_ALLOC_NEST_PARENT, HWPT_ALLOC_PASID, HWPT_FAULT_ID_VALID, OBJ_HWPT_NESTED } from '../uapi/index.ts';
import { connectFaultQueue, disconnectFaultQueue, giveDomain, takeDomain } from './domains.ts';

const CALL = 'HWPT_ALLOC';
const KNOWN_FLAGS = HWPT_FAULT_ID_VALID | HWPT_ALLOC_PASID;

export interface NestedSpec {
  /** Object: an HWPT_PAGING, or a vIOMMU. The caller holds it. */
  readonly on: number;
  readonly onViommu: boolean;
  /** Object; the caller holds it. */
  readonly device: number;
  readonly flags: number;
  readonly data: DriverData | undefined;
  readonly faultId: number;
}

/** Makes a nested HWPT. @returns the object, reserved still. @throws IommuError EOPNOTSUPP flags, no data, the driver cannot; EINVAL the parent is
 * none, or for another IOMMU; EFAULT data; ENOENT fault_id; ENOMEM. Nothing is left of it then. */
export function makeNestedHwpt(context: Context, spec: NestedSpec): number {
  const { on, onViommu, device, flags, data, faultId } = spec;
  const { machine, objects, words } = context;
  const number = words[objects.at(device) + DEVICE_NUMBER];
  const { iommu } = machine.driver.traits(number);
  const parent = onViommu ? words[objects.at(on) + VIOMMU_HWPT] : on;
  if (onViommu && words[objects.at(on) + VIOMMU_IOMMU] !== iommu)
    throw new IommuError('EINVAL', CALL, 'dev_id', objects.idOf(device), 'is behind another IOMMU than the vIOMMU');
  if ((flags & ~KNOWN_FLAGS) !== 0)
    throw new IommuError('EOPNOTSUPP', CALL, 'flags', flags, 'has bits that a nested HWPT does not take');
  if (data === undefined) throw new IommuError('EOPNOTSUPP', CALL, 'data_type', 0, 'a nested HWPT is made from data');
  if (!onViommu) checkParent(context, parent, iommu);

  const undo: (() => void)[] = [];
  try {
    const hwpt = objects.reserve(CALL, OBJ_HWPT_NESTED);
    undo.push(() => objects.abort(hwpt));
    const domain = takeDomain(context, CALL, (flags & HWPT_FAULT_ID_VALID) !== 0);
    undo.push(() => giveDomain(context, domain));
    const viommu = onViommu ? words[objects.at(on) + VIOMMU_NUMBER] : 0;
    const parentAt = objects.at(parent);
    machine.driver.allocNested(domain, number, words[parentAt + HWPT_DOMAIN], viommu, flags, data);
    undo.push(() => machine.driver.freeDomain(domain));
    const at = objects.at(hwpt);
    words[at + HWPT_DOMAIN] = domain;
    words[at + HWPT_FLAGS] = flags;
    words[at + HWPT_IOAS] = words[parentAt + HWPT_IOAS];
    words[at + HWPT_PARENT] = parent;
    words[at + HWPT_VIOMMU] = onViommu ? on : 0;
    words[at + HWPT_IOMMU] = iommu;
    if ((flags & HWPT_FAULT_ID_VALID) !== 0) connectFaultQueue(context, CALL, hwpt, faultId);
    objects.hold(on);
    return hwpt;
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw error;
  }
}

function checkParent({ objects, words }: Context, parent: number, iommu: number): void {
  const at = objects.at(parent);
  const refuse = (why: string): never => {
    throw new IommuError('EINVAL', CALL, 'pt_id', objects.idOf(parent), why);
  };
  if (words[at + HWPT_AUTO] === 1) refuse('was made by attaching, and is nobody’s parent');
  if ((words[at + HWPT_FLAGS] & HWPT_ALLOC_NEST_PARENT) === 0) refuse('is no nesting parent');
  if (words[at + HWPT_IOMMU] !== iommu) refuse('is for another IOMMU');
}

/** Destroyer: nobody can reach it, nothing is attached to it. */
export function endNestedHwpt(context: Context, at: number, hwpt: number): void {
  const { machine, objects, words } = context;
  const domain = words[at + HWPT_DOMAIN];
  disconnectFaultQueue(context, hwpt);
  machine.driver.freeDomain(domain);
  giveDomain(context, domain);
  objects.release(words[at + HWPT_VIOMMU] || words[at + HWPT_PARENT]);
}
