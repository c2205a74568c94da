import type { FieldValues } from '../record/fields.ts';
import {
  ATC_SIZE_ALL,
  atcSize,
  CMD_ATC_INV,
  CMD_CFGI_CD,
  CMD_CFGI_CD_ALL,
  CMD_PRI_RESP,
  CMD_RESUME,
  CMD_STALL_TERM,
  CMD_TLBI_EL2_ALL,
  CMD_TLBI_EL2_VAA,
  CMD_TLBI_NH_ALL,
  CMD_TLBI_NH_VAA,
  CMD_TLBI_S2_IPA,
  CMD_TLBI_S12_VMALL,
  COMMAND_KINDS,
  priRespCode,
} from './commands.ts';
import { TERMINATE_ONLY } from './id-registers.ts';

// Which commands an SMMU takes (IHI 0070, chapter 4): the others end in CERROR_ILL. Reserved bits are ignored, as an SMMU may.

const PRI_RESP_ILLEGAL = 3;

/** @returns by opcode, 1 where the SMMU has what the command is about. */
export function legalCommands(idrs: FieldValues): Uint8Array {
  const legal = new Uint8Array(256);
  for (const { op } of COMMAND_KINDS) {
    if ((op === CMD_RESUME || op === CMD_STALL_TERM) && idrs.stallModel === TERMINATE_ONLY) continue;
    if (op === CMD_ATC_INV && idrs.ats === 0) continue;
    if (op === CMD_PRI_RESP && idrs.pri === 0) continue;
    if ((op === CMD_CFGI_CD || op === CMD_CFGI_CD_ALL) && idrs.s1p === 0) continue;
    if (op >= CMD_TLBI_NH_ALL && op <= CMD_TLBI_NH_VAA && idrs.s1p === 0) continue;
    if (op >= CMD_TLBI_EL2_ALL && op <= CMD_TLBI_EL2_VAA && idrs.hyp === 0) continue;
    if (op >= CMD_TLBI_S12_VMALL && op <= CMD_TLBI_S2_IPA && idrs.s2p === 0) continue;
    legal[op] = 1;
  }
  return legal;
}

/** Whether the command at `at` may be consumed: its opcode is offered and its parameters are allowed. CMD_SYNC's are its consumer's. */
export function isLegal(words: Int32Array, at: number, legal: Uint8Array): boolean {
  const op = words[at] & 0xff;
  if (legal[op] === 0) return false;
  if (op === CMD_PRI_RESP) return priRespCode(words, at) !== PRI_RESP_ILLEGAL;
  if (op === CMD_ATC_INV) return atcSize(words, at) <= ATC_SIZE_ALL;
  return true;
}
