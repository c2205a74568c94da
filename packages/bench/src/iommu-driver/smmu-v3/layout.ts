// What an SMMUv3's driver keeps in shared words beside what all families keep (common/layout.ts).
import { LINE } from '@faultline/core/sync';
import { DOMAIN_OWN } from '../common/index.ts';

export const SMMU_REGION = 'smmu-v3.unit';
export const VIRTUAL_REGION = 'smmu-v3.virtual';
export const CONTEXTS_REGION = 'smmu-v3.contexts';
export const DEVICES_REGION = 'smmu-v3.devices';
export const VSMMUS_REGION = 'smmu-v3.vsmmus';
export const VIOMMUS_REGION = 'smmu-v3.viommus';
export const SCRATCH_REGION = 'smmu-v3.scratch';
export const HARDWARE_BELL = 'smmu-v3.bell.hardware';
export const IRQ_BELL = 'smmu-v3.bell.irq';

// A domain's own words.
//
//   NESTED  0  constant: hw's number of a nested domain
export const DOMAIN_NESTED_NUMBER: number = DOMAIN_OWN;

// What the code of a paging domain stands for.
export const CODE_STAGE1 = 1;
export const CODE_STAGE1_DIRTY = 2;
export const CODE_STAGE2 = 3;

// A device, by its number, from 1.
//
//   GROUP   0   atomic, a mutex: its entries, its contexts, its stream state; taken within iommufd's group lock
//   STREAM  1   constant
//   STALLS  2   constant: 1: its faults stall
export const DEVICE_GROUP = 0;
export const DEVICE_STREAM = 1;
export const DEVICE_STALLS = 2;
export const DEVICE_WORDS: number = LINE;

// A vSMMU, by hw's number. Written by who makes it, before its number is known to anybody.
//
//   VIOMMU  0   iommufd's number of it
//   TYPE    1   VIOMMU_TYPE_*
//   FRAME   2   atomic: first frame of its page of registers, 0: it has none
export const VSMMU_VIOMMU = 0;
export const VSMMU_TYPE = 1;
export const VSMMU_FRAME = 2;
export const VSMMU_ROW_WORDS: number = LINE;

// Words of a thread's own: an event's record, a guest's entry, a batch of a guest's commands.
export const SCRATCH_EVENT = 0;
export const SCRATCH_STE = 8;
export const SCRATCH_COMMANDS = 32;
