import { layoutOffset } from '@faultline/core/memory';
import type { Words } from '@faultline/core/sync';
import { amdLayout } from '@faultline/hw/amd';
import { smmuLayout } from '@faultline/hw/smmu-v3';
import { vtdLayout } from '@faultline/hw/vtd';
import type { IommuName } from '../../scenario/parameters.ts';

/** The queue that faults come in by: its registers, and what they count in. */
interface FaultQueue {
  readonly name: string;
  readonly prod: number;
  readonly cons: number;
  /** What one record moves a register by. */
  readonly step: number;
  /** Times that a register goes round the queue before it is the same again: indices with a wrap bit, 2. */
  readonly rounds: number;
}

const QUEUES: Record<IommuName, FaultQueue> = {
  'smmu-v3': {
    name: 'event-queue',
    prod: layoutOffset(smmuLayout, 'EVTQ_PROD'),
    cons: layoutOffset(smmuLayout, 'EVTQ_CONS'),
    step: 1,
    rounds: 2,
  },
  vtd: {
    name: 'page-request-queue',
    prod: layoutOffset(vtdLayout, 'PQT'),
    cons: layoutOffset(vtdLayout, 'PQH'),
    step: 32,
    rounds: 1,
  },
  amd: {
    name: 'ppr-log',
    prod: layoutOffset(amdLayout, 'PPR_TAIL'),
    cons: layoutOffset(amdLayout, 'PPR_HEAD'),
    step: 16,
    rounds: 1,
  },
};

export interface QueueFill {
  readonly name: string;
  /** Records in it. */
  fill(): number;
}

/** @param base of the IOMMU. @param entries of the queue. */
export function queueFill(words: Words, base: number, iommu: IommuName, entries: number): QueueFill {
  const { name, prod, cons, step, rounds } = QUEUES[iommu];
  const mask = entries * step * rounds - 1;
  return { name, fill: () => ((Atomics.load(words, base + prod) - words[base + cons]) & mask) / step };
}
