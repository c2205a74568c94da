// Register bits, reasons and codes (VT-d specification, chapter 11 and section 7.1). Word offsets of the registers are in layout.ts.

/** Where a register stands in the unit's MMIO page, in bytes, and how wide it is. For people: the model's words are in layout.ts. */
export const VTD_REGISTERS: readonly { readonly name: string; readonly offset: number; readonly bytes: 4 | 8 }[] = [
  { name: 'VER', offset: 0x00, bytes: 4 },
  { name: 'CAP', offset: 0x08, bytes: 8 },
  { name: 'ECAP', offset: 0x10, bytes: 8 },
  { name: 'GCMD', offset: 0x18, bytes: 4 },
  { name: 'GSTS', offset: 0x1c, bytes: 4 },
  { name: 'FSTS', offset: 0x34, bytes: 4 },
  { name: 'FECTL', offset: 0x38, bytes: 4 },
  { name: 'IQH', offset: 0x80, bytes: 8 },
  { name: 'IQT', offset: 0x88, bytes: 8 },
  { name: 'IQA', offset: 0x90, bytes: 8 },
  { name: 'ICS', offset: 0x9c, bytes: 4 },
  { name: 'IQERCD', offset: 0xb0, bytes: 8 },
  { name: 'PQH', offset: 0xc0, bytes: 8 },
  { name: 'PQT', offset: 0xc8, bytes: 8 },
  { name: 'PQA', offset: 0xd0, bytes: 8 },
  { name: 'PRS', offset: 0xdc, bytes: 4 },
  { name: 'PECTL', offset: 0xe0, bytes: 4 },
  { name: 'PEDATA', offset: 0xe4, bytes: 4 },
  { name: 'PEADDR', offset: 0xe8, bytes: 4 },
];

/** GCMD, mirrored into GSTS once effective: queued invalidation, translation. */
export const GCMD_QIE: number = 1 << 26;
export const GCMD_TE: number = 1 << 31;

/** PRS: page request pending, page request overflow. Both write-1-to-clear. */
export const PRS_PPR: number = 1 << 0;
export const PRS_PRO: number = 1 << 1;

/** PECTL: interrupt pending, interrupt mask. FECTL has the same two. */
export const PECTL_IP: number = 1 << 30;
export const PECTL_IM: number = 1 << 31;

/** FSTS. PFO, IQE, ICE and ITE are write-1-to-clear; PPF goes with the last fault record's F. FRI is the record that set PPF. Bit 7, an older
 * place of PRO that Linux still clears, is not modelled. */
export const FSTS_PFO: number = 1 << 0;
export const FSTS_PPF: number = 1 << 1;
export const FSTS_IQE: number = 1 << 4;
export const FSTS_ICE: number = 1 << 5;
export const FSTS_ITE: number = 1 << 6;
export const FSTS_QUEUE_ERRORS: number = FSTS_IQE | FSTS_ICE | FSTS_ITE;
/** What a fault event is raised for. */
export const FSTS_EVENTS: number = FSTS_PFO | FSTS_PPF | FSTS_QUEUE_ERRORS;
export const FSTS_FRI_SHIFT = 8;
export const FSTS_FRI_MASK: number = 0xff << FSTS_FRI_SHIFT;

/** IQA: descriptors of 256 bits. The low three bits are the size, in pages of 4 KB as a power of two. */
export const IQA_DW: number = 1 << 11;
/** IQA and PQA: base address, in bytes; what is below is size and width. */
export const QUEUE_ADDRESS_MASK: number = ~0xfff;
export const QUEUE_ORDER_MASK = 7;

/** ICS: a wait descriptor with the interrupt flag completed. Write-1-to-clear. */
export const ICS_IWC: number = 1 << 0;

/** IQERCD: why the invalidation queue stopped, in bits 3:0; the requesters of ITE and ICE in bits 47:32 and 63:48.
 * @see Intel processor register documentation, IQ Error Info (offset 0xb0), which lists 0 to 5; VirtualBox iommu-intel.h, VTDIQEI, which
 * has all eight */
export const IQEI_NONE = 0;
export const IQEI_TAIL = 1; // IQT outside the queue
export const IQEI_FETCH = 2; // the descriptor could not be read
export const IQEI_TYPE = 3;
export const IQEI_RESERVED = 4; // a reserved bit or encoding in a known type
export const IQEI_WIDTH = 5; // IQA.DW does not fit the unit's mode
export const IQEI_TAIL_MISALIGNED = 6; // IQT between two descriptors of 256 bits
export const IQEI_MODE = 7; // not in this translation table mode; this model has but one

/** Fault reasons of scalable mode that a page request meets (numbers as Linux's driver prints them). */
export const FAULT_CONTEXT_ACCESS = 0x40;
export const FAULT_CONTEXT_NOT_PRESENT = 0x41;
export const FAULT_CONTEXT_RESERVED = 0x42;
export const FAULT_CONTEXT_DTE_CLEAR = 0x44;
export const FAULT_CONTEXT_PASIDE_CLEAR = 0x45;
export const FAULT_PASID_TOO_LARGE = 0x46;
export const FAULT_CONTEXT_PRE_CLEAR = 0x47;
export const FAULT_RID_PASID = 0x48;
export const FAULT_DIRECTORY_ACCESS = 0x50;
export const FAULT_DIRECTORY_NOT_PRESENT = 0x51;
export const FAULT_DIRECTORY_RESERVED = 0x52;
export const FAULT_PASID_ACCESS = 0x58;
export const FAULT_PASID_NOT_PRESENT = 0x59;
export const FAULT_PASID_RESERVED = 0x5a;
export const FAULT_PASID_INVALID = 0x5b;
export const FAULT_PASID_ERE_CLEAR = 0x5c;
export const FAULT_PASID_SRE_CLEAR = 0x5d;

export const FAULT_REASONS: ReadonlyMap<number, string> = new Map([
  [FAULT_CONTEXT_ACCESS, 'context entry cannot be read'],
  [FAULT_CONTEXT_NOT_PRESENT, 'context entry not present'],
  [FAULT_CONTEXT_RESERVED, 'reserved bits set in context entry'],
  [FAULT_CONTEXT_DTE_CLEAR, 'DTE clear in context entry'],
  [FAULT_CONTEXT_PASIDE_CLEAR, 'PASIDE clear in context entry'],
  [FAULT_PASID_TOO_LARGE, 'PASID beyond the directory'],
  [FAULT_CONTEXT_PRE_CLEAR, 'PRE clear in context entry'],
  [FAULT_RID_PASID, 'RID_PASID beyond the directory'],
  [FAULT_DIRECTORY_ACCESS, 'PASID directory entry cannot be read'],
  [FAULT_DIRECTORY_NOT_PRESENT, 'PASID directory entry not present'],
  [FAULT_DIRECTORY_RESERVED, 'reserved bits set in PASID directory entry'],
  [FAULT_PASID_ACCESS, 'PASID table entry cannot be read'],
  [FAULT_PASID_NOT_PRESENT, 'PASID table entry not present'],
  [FAULT_PASID_RESERVED, 'reserved bits set in PASID table entry'],
  [FAULT_PASID_INVALID, 'PASID table entry with a reserved translation type'],
  [FAULT_PASID_ERE_CLEAR, 'execute request and ERE clear in PASID table entry'],
  [FAULT_PASID_SRE_CLEAR, 'supervisor request and SRE clear in PASID table entry'],
]);
