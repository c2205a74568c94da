// Attachment: what a group has attached at a PASID. One record of the machine's pool of attachments. Offsets in words; all are
// guarded by the group's lock.
//
//   name    offset  meaning
//   NEXT    0       next attachment of the group, 0 ends
//   PASID   1       0: no PASID
//   HWPT    2       object: each member is one of its users
//   FIRST   3       first of its members: devices that are on it
export const ATTACH_NEXT = 0;
export const ATTACH_PASID = 1;
export const ATTACH_HWPT = 2;
export const ATTACH_FIRST = 3;
export const ATTACHMENT_WORDS = 4;

// Member: a device that is attached. A record of the same pool.
//
//   name    offset  meaning
//   NEXT    0       next member, 0 ends
//   DEVICE  1       object
export const MEMBER_NEXT = 0;
export const MEMBER_DEVICE = 1;
