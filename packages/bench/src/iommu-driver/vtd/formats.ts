import { type Format, vtdSecondStage, x86FirstStage } from '@faultline/hw/page-table';
import type { DomainGeometry } from '@faultline/iommufd';
import { CODE_FIRST_FIVE, CODE_FIRST_FOUR, CODE_SECOND, CODE_SECOND_WRITEABLE } from './layout.ts';

const FORMATS: Readonly<Record<number, Format>> = {
  [CODE_FIRST_FOUR]: x86FirstStage({ levels: 4 }),
  [CODE_FIRST_FIVE]: x86FirstStage({ levels: 5 }),
  [CODE_SECOND]: vtdSecondStage(),
  [CODE_SECOND_WRITEABLE]: vtdSecondStage({ forceWriteable: true }),
};

export function formatOf(code: number): Format {
  return FORMATS[code];
}

/** Of sign-extended addresses only the lower half is offered. */
export function geometryOf(code: number): DomainGeometry {
  const { iovaLg2, signExtended, sizesLg2 } = formatOf(code);
  const last = (1n << BigInt(iovaLg2 - (signExtended ? 1 : 0))) - 1n;
  return { aperture: { start: 0n, last }, pageSizes: sizesLg2.reduce((sizes, lg2) => sizes | (1n << BigInt(lg2)), 0n) };
}
