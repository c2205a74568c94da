// Register bits (IHI 0070, chapter 6). Offsets are in layout.ts.

/** CR0, mirrored by the hardware into CR0ACK once a change is effective. */
export const CR0_SMMUEN: number = 1 << 0;
export const CR0_EVTQEN: number = 1 << 2;
export const CR0_CMDQEN: number = 1 << 3;

/** CR2: record C_BAD_STREAMID for streams outside the table. */
export const CR2_RECINVSID: number = 1 << 1;

/** GERROR, acknowledged by copying the bit into GERRORN. A bit that differs is active. */
export const GERROR_CMDQ: number = 1 << 0;
export const GERROR_MSI_CMDQ: number = 1 << 4;

/** IDR5.STALL_MAX. */
export const IDR5_STALL_MAX_SHIFT = 16;

/** CONS.ERR of a command queue. */
export const CMDQ_ERR_SHIFT = 24;
export const CMDQ_ERR_MASK: number = 0x7f << CMDQ_ERR_SHIFT;
export const CERROR_ILL: number = 1 << CMDQ_ERR_SHIFT;
/** Error in a command queue's CONS, its acknowledgement in PROD: consumption stops while they differ (enhanced command queues). */
export const CMDQ_ERR_FLAG: number = 1 << 23;

/** Stream table entry, condensed: V and Config as in the STE, and CD.S of the stream's context descriptors beside them. */
export const STE_V: number = 1 << 0;
export const STE_CONFIG_SHIFT = 1;
export const STE_CONFIG_MASK: number = 7 << STE_CONFIG_SHIFT;
export const STE_ABORT: number = 0 << STE_CONFIG_SHIFT;
export const STE_BYPASS: number = 4 << STE_CONFIG_SHIFT;
export const STE_TRANSLATE: number = 5 << STE_CONFIG_SHIFT;
export const STE_STALL: number = 1 << 4;
