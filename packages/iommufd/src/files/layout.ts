// File: what a descriptor names. One record of the machine's pool of files. Offsets in words.
//
//   name     offset  guarded by   meaning
//   KIND     0       constant     FILE_*
//   CONTEXT  1       constant     the context that it keeps alive, 0 for none
//   OBJECT   2       constant     FILE_FAULT, FILE_EVENTS, FILE_ACCESS: the object; FILE_MEMORY: number of the mappable file
//   REFS     3       atomic       descriptors, and calls on one
//   SERIAL   4       constant     tells it from all files before it, which may have had the same descriptor and the same record
//
// Of record 0, which is no file, SERIAL is the one that was given last: atomic.
export const FILE_KIND = 0;
export const FILE_CONTEXT = 1;
export const FILE_OBJECT = 2;
export const FILE_REFS = 3;
export const FILE_SERIAL = 4;
export const FILE_WORDS = 5;

/** /dev/iommu. */
export const FILE_IOMMU = 1;
export const FILE_FAULT = 2;
export const FILE_EVENTS = 3;
export const FILE_ACCESS = 4;
/** A memfd or a device's buffer. */
export const FILE_MEMORY = 5;
