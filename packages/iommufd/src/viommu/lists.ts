import { mutexLock, mutexUnlock } from '@faultline/core/sync';
import type { Context } from '../context/context.ts';
import { VIOMMU_LOCK } from '../objects/index.ts';

/** Runs `body` with a vIOMMU's lists locked. */
export function withViommu<T>({ machine, objects, words }: Context, viommu: number, body: (at: number) => T): T {
  const at = objects.at(viommu);
  mutexLock(words, at + VIOMMU_LOCK, machine.self);
  try {
    return body(at);
  } finally {
    mutexUnlock(words, at + VIOMMU_LOCK, machine.self);
  }
}
