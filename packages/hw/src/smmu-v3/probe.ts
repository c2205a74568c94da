import { IommuError } from '@faultline/core/errors';
import type { Words } from '@faultline/core/sync';
import type { FieldValues } from '../record/fields.ts';
import { addressBits, IDR0, IDR1, IDR3, IDR5, readIdrs, STALL_FORCED, TERMINATE_ONLY } from './id-registers.ts';
import { checkSmmu, SMMU_IDRS } from './layout.ts';

/** What a driver makes of the identification registers. */
export interface SmmuFeatures {
  readonly stage1: boolean;
  readonly stage2: boolean;
  /** Whether faults may stall; `forced`: they always do. */
  readonly stalls: 'none' | 'offered' | 'forced';
  readonly ats: boolean;
  readonly splitStageAts: boolean;
  readonly pri: boolean;
  readonly hyp: boolean;
  /** Hardware sets access flags; and dirty state. */
  readonly accessFlag: boolean;
  readonly dirtyState: boolean;
  readonly rangeInvalidation: boolean;
  readonly twoLevelStreams: boolean;
  readonly twoLevelContexts: boolean;
  readonly forceWriteBack: boolean;
  /** Level of break-before-make that is not needed, 0 to 2. */
  readonly bbmLevel: number;
  readonly msi: boolean;
  readonly sev: boolean;
  readonly coherent: boolean;
  readonly asidBits: number;
  readonly vmidBits: number;
  readonly substreamBits: number;
  readonly streamBits: number;
  readonly inputBits: number;
  readonly outputBits: number;
  /** Translation granules in bytes, log2, smallest first. */
  readonly granulesLg2: readonly number[];
  /** Largest queues, entries, log2. PRI: 0 without. */
  readonly commandsLg2: number;
  readonly eventsLg2: number;
  readonly pageRequestsLg2: number;
  readonly stallMax: number;
}

/** Command queues up to this size cannot hold what the other threads have under way (one bit each in a 64-bit word, in Linux). */
const SMALLEST_COMMANDS_LG2 = 7;
/** 7 is reserved: Linux goes on with 48 bits. */
const RESERVED_OAS = 7;

/** Reads what an SMMU offers, and refuses what no driver of Linux takes.
 * @throws IommuError EINVAL when no SMMU was laid out; ENXIO naming the register field that is refused.
 * @see Linux arm_smmu_device_hw_probe() */
export function probeSmmu(words: Words, base: number): SmmuFeatures {
  checkSmmu(words, base, 'probeSmmu');
  return readFeatures(readIdrs(words, base + SMMU_IDRS));
}

/** {@link probeSmmu} of register fields that were read elsewhere. */
export function readFeatures(idrs: FieldValues): SmmuFeatures {
  refuse(idrs);
  const granulesLg2 = [
    ...(idrs.gran4k === 1 ? [12] : []),
    ...(idrs.gran16k === 1 ? [14] : []),
    ...(idrs.gran64k === 1 ? [16] : []),
  ];
  return {
    stage1: idrs.s1p === 1,
    stage2: idrs.s2p === 1,
    stalls: idrs.stallModel === STALL_FORCED ? 'forced' : idrs.stallModel === TERMINATE_ONLY ? 'none' : 'offered',
    ats: idrs.ats === 1,
    splitStageAts: idrs.ats === 1 && idrs.ns1ats === 0,
    pri: idrs.pri === 1,
    hyp: idrs.hyp === 1,
    accessFlag: idrs.httu >= 1,
    dirtyState: idrs.httu >= 2,
    rangeInvalidation: idrs.ril === 1,
    twoLevelStreams: idrs.stLevel === 1,
    twoLevelContexts: idrs.cd2l === 1,
    forceWriteBack: idrs.fwb === 1,
    bbmLevel: idrs.bbml,
    msi: idrs.msi === 1,
    sev: idrs.sev === 1,
    coherent: idrs.cohacc === 1,
    asidBits: idrs.asid16 === 1 ? 16 : 8,
    vmidBits: idrs.vmid16 === 1 ? 16 : 8,
    substreamBits: idrs.ssidSize,
    streamBits: idrs.sidSize,
    inputBits: idrs.vax === 1 ? 52 : 48,
    outputBits: idrs.oas === RESERVED_OAS ? 48 : addressBits(idrs.oas),
    granulesLg2,
    commandsLg2: idrs.cmdqs,
    eventsLg2: idrs.eventqs,
    pageRequestsLg2: idrs.pri === 1 ? idrs.priqs : 0,
    stallMax: idrs.stallMax,
  };
}

function refuse(idrs: FieldValues): void {
  if (idrs.ttendian === 1) throw refusal('IDR0.TTENDIAN', idrs.ttendian, 'is a reserved endianness');
  if (idrs.s1p === 0 && idrs.s2p === 0) throw refusal('IDR0.S1P', idrs.s1p, 'offers no translation at all');
  if ((idrs.ttf & 2) === 0) throw refusal('IDR0.TTF', idrs.ttf, 'offers no AArch64 tables');
  if (idrs.tablesPreset === 1) throw refusal('IDR1.TABLES_PRESET', 1, 'has its tables at fixed addresses');
  if (idrs.queuesPreset === 1) throw refusal('IDR1.QUEUES_PRESET', 1, 'has its queues at fixed addresses');
  if (idrs.rel === 1) throw refusal('IDR1.REL', 1, 'has its tables at relative addresses');
  if (idrs.cmdqs < SMALLEST_COMMANDS_LG2)
    throw refusal('IDR1.CMDQS', idrs.cmdqs, 'offers command queues of 64 entries at most');
}

function refusal(field: string, value: number, why: string): IommuError {
  return new IommuError('ENXIO', 'probeSmmu', field, value, why);
}

/** IDR0 to IDR5 as a processor reads them; IDR2 and IDR4, which say nothing of what is modelled, are 0. */
export function idRegisters(words: Words, base: number): readonly number[] {
  checkSmmu(words, base, 'idRegisters');
  const at = base + SMMU_IDRS;
  return [words[at + IDR0], words[at + IDR1], 0, words[at + IDR3], 0, words[at + IDR5]].map((value) => value >>> 0);
}
