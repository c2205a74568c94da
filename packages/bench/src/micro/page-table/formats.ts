import { amdV1, armLpae, type Format, riscvSv, vtdSecondStage, x86FirstStage } from '@faultline/hw/page-table';

/** The formats that are measured, in the order of the tables. Dirty tracking is on where a format offers it. */
export const FORMATS: readonly Format[] = [
  amdV1(),
  vtdSecondStage(),
  x86FirstStage(),
  armLpae({ stage: 1, dirty: true }),
  armLpae({ stage: 2, dirty: true }),
  riscvSv({ mode: 39, hardwareDirty: true }),
  riscvSv({ mode: 48, hardwareDirty: true }),
  riscvSv({ mode: 57, hardwareDirty: true }),
];
