// Register bits (IHI 0070, chapter 6). Offsets are in layout.ts.

/** CR0, mirrored by the hardware into CR0ACK once a change is effective. SMMUEN = 0 implies PRIQEN = 0. */
export const CR0_SMMUEN: number = 1 << 0;
export const CR0_PRIQEN: number = 1 << 1;
export const CR0_EVTQEN: number = 1 << 2;
export const CR0_CMDQEN: number = 1 << 3;
/** Check translated accesses against the stream table; also what split-stage ATS needs. */
export const CR0_ATSCHK: number = 1 << 4;

/** CR2: record C_BAD_STREAMID for streams outside the table. */
export const CR2_RECINVSID: number = 1 << 1;
/** CR2: record configuration errors met while STE.PPAR is looked up (and other ATS look-ups). */
export const CR2_REC_CFG_ATS: number = 1 << 3;

/** PRIQ_IRQ_CFG2.LO: interrupt at each Last request, recorded or lost to an overflow, rather than at empty to non-empty. */
export const PRIQ_IRQ_LO: number = 1 << 31;

/** GERROR, acknowledged by copying the bit into GERRORN. A bit that differs is active. Bit 1 is reserved. */
export const GERROR_CMDQ: number = 1 << 0;
export const GERROR_EVTQ_ABT: number = 1 << 2;
export const GERROR_PRIQ_ABT: number = 1 << 3;
export const GERROR_MSI_CMDQ: number = 1 << 4;
export const GERROR_MSI_EVTQ: number = 1 << 5;
export const GERROR_MSI_PRIQ: number = 1 << 6;
export const GERROR_MSI_GERROR: number = 1 << 7;
/** Service failure mode: only a reset helps. */
export const GERROR_SFM: number = 1 << 8;
export const GERROR_MASK = 0x1fd;

/** IDR5.STALL_MAX. */
export const IDR5_STALL_MAX_SHIFT = 16;

/** CONS.ERR of a command queue. */
export const CMDQ_ERR_SHIFT = 24;
export const CMDQ_ERR_MASK: number = 0x7f << CMDQ_ERR_SHIFT;
/** Unknown opcode, or a parameter that is not allowed. */
export const CERROR_ILL: number = 1 << CMDQ_ERR_SHIFT;
/** The command could not be read. */
export const CERROR_ABT: number = 2 << CMDQ_ERR_SHIFT;
/** At a CMD_SYNC: an ATC invalidation before it was not completed in time. */
export const CERROR_ATC_INV_SYNC: number = 3 << CMDQ_ERR_SHIFT;
/** Error in a command queue's CONS, its acknowledgement in PROD: consumption stops while they differ (enhanced command queues). */
export const CMDQ_ERR_FLAG: number = 1 << 23;

/** First word of a stream table entry: V and Config (IHI 0070, 5.2). The whole entry is in ste.ts. */
export const STE_V: number = 1 << 0;
export const STE_CONFIG_SHIFT = 1;
export const STE_CONFIG_MASK: number = 7 << STE_CONFIG_SHIFT;
export const STE_ABORT: number = 0 << STE_CONFIG_SHIFT;
export const STE_BYPASS: number = 4 << STE_CONFIG_SHIFT;
/** Stage 1. */
export const STE_TRANSLATE: number = 5 << STE_CONFIG_SHIFT;
export const STE_STAGE2: number = 6 << STE_CONFIG_SHIFT;
/** Stage 1 over stage 2. */
export const STE_NESTED: number = 7 << STE_CONFIG_SHIFT;
