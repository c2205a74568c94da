import { amdV1, type Format, x86FirstStage } from '@faultline/hw/page-table';
import type { DomainGeometry } from '@faultline/iommufd';
import { CODE_HOST, LEVELS } from './layout.ts';

const IOVA_LG2 = 48;
const HOST = amdV1({ startLevel: LEVELS - 1, iovaLg2: IOVA_LG2 });
const GUEST = x86FirstStage({ levels: LEVELS });

export function formatOf(code: number): Format {
  return code === CODE_HOST ? HOST : GUEST;
}

/** Of sign-extended addresses only the lower half is offered. */
export function geometryOf(code: number): DomainGeometry {
  const { signExtended, sizesLg2 } = formatOf(code);
  const last = (1n << BigInt(IOVA_LG2 - (signExtended ? 1 : 0))) - 1n;
  return { aperture: { start: 0n, last }, pageSizes: sizesLg2.reduce((sizes, lg2) => sizes | (1n << BigInt(lg2)), 0n) };
}
