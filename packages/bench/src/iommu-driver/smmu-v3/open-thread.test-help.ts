import { Doorbell } from '@faultline/core/sync';
import { SmmuOps } from '@faultline/hw/smmu-v3';
import { type Lab, openLab, type SharedLab } from '@faultline/iommufd/testing';
import { SmmuIommufdDriver } from './driver.ts';
import { HARDWARE_BELL, SMMU_REGION } from './layout.ts';
import type { SmmuUnitConfig } from './region.ts';

export interface Opened {
  readonly lab: Lab;
  readonly driver: SmmuIommufdDriver;
  readonly ops: SmmuOps;
}

/** This thread's view. @param ring rings the hardware; @param between where its interrupt is on this thread. */
export function openThread(
  shared: SharedLab,
  unit: SmmuUnitConfig,
  id: number,
  ring?: () => void,
  between?: () => void,
): Opened {
  let made: { driver: SmmuIommufdDriver; ops: SmmuOps } | undefined;
  const self = { id, spins: 50 };
  const lab = openLab(
    shared,
    (arena, _self, ram) => {
      const bell = new Doorbell(arena.words, arena.base(HARDWARE_BELL));
      const rings = ring ?? (() => bell.ring());
      const ops = new SmmuOps(arena.words, arena.base(SMMU_REGION), id - 1, { hardwareDoorbell: { ring: rings } });
      const config = { arena, self, ram, ops, unit, ring: rings };
      const driver = new SmmuIommufdDriver(between === undefined ? config : { ...config, between });
      made = { driver, ops };
      return made;
    },
    self,
  );
  if (made === undefined) throw new Error('openLab made no driver');
  return { lab, ...made };
}
