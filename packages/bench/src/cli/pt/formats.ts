import { amdV1, armLpae, type Format, riscvSv, vtdSecondStage, x86FirstStage } from '@faultline/hw/page-table';
import { UsageError } from '../request.ts';

const FORMATS: Readonly<Record<string, () => Format>> = {
  amdv1: () => amdV1(),
  'vtd-second-stage': () => vtdSecondStage(),
  'x86-first-stage': () => x86FirstStage(),
  'arm-lpae-s1': () => armLpae({ stage: 1, dirty: true }),
  'arm-lpae-s2': () => armLpae({ stage: 2, dirty: true }),
  'riscv-sv39': () => riscvSv({ mode: 39 }),
  'riscv-sv48': () => riscvSv({ mode: 48 }),
  'riscv-sv57': () => riscvSv({ mode: 57 }),
};

export const FORMAT_NAMES: readonly string[] = Object.keys(FORMATS);

/** @param name one of {@link FORMAT_NAMES}; `riscv-` may be left out. @throws UsageError */
export function formatOf(name: string): Format {
  const known = Object.hasOwn(FORMATS, name) ? name : `riscv-${name}`;
  if (!Object.hasOwn(FORMATS, known))
    throw new UsageError(`--format = ${JSON.stringify(name)}: must be one of ${FORMAT_NAMES.join(', ')}`);
  return FORMATS[known]();
}
