import type { IommuName } from '../../scenario/parameters.ts';
import { amdLayout } from './amd.ts';
import type { FamilyLayout } from './family.ts';
import { smmuLayout } from './smmu-v3.ts';
import { vtdLayout } from './vtd.ts';

/** The main thread's part of each family. */
export const LAYOUTS: Record<IommuName, FamilyLayout> = { 'smmu-v3': smmuLayout, vtd: vtdLayout, amd: amdLayout };
