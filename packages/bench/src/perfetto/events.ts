// What the fault path's threads record. The object's meaning goes with the kind.
//
//   kind       object                   fault                   recorded by, and where
//   STALLED    device thread, from 0    0                       device: a round with a traced fault begins
//   STALL      device thread            the fault               device: an access is left to the hardware
//   RESUME     device thread            the fault               device: it was resumed, and goes on
//   ABORT      device thread            the fault               device: it was terminated
//   GOING      device thread            0                       device: the round is over for it
//   DRAIN      queue                    0                       interrupt, hardware: a pump begins
//   DRAINED    queue                    what was dealt with     interrupt, hardware: it is done
//   REPORT     device                   the fault               interrupt: reported to the core
//   REFUSE     device                   the fault               interrupt: answered at once
//   HANDLE     device                   the group's last fault  handler: a group begins
//   MEMBER     device                   the fault               handler: another traced fault of that group
//   ANSWER     code of the response     0                       handler: the group is answered
//   VOID       code of the response     0                       handler: it had been answered for it
//   MAP        0                        the fault               reader of the fault file: a page is made present
//   MAPPED     1: it is                 0                       reader: it is, or is not
//   FILL       queue                    records in it           interrupt
//   PENDING    domain                   groups pending on it    interrupt
export const STALLED = 1;
export const STALL = 2;
export const RESUME = 3;
export const ABORT = 4;
export const GOING = 5;
export const DRAIN = 6;
export const DRAINED = 7;
export const REPORT = 8;
export const REFUSE = 9;
export const HANDLE = 10;
export const MEMBER = 11;
export const ANSWER = 12;
export const VOID = 13;
export const MAP = 14;
export const MAPPED = 15;
export const FILL = 16;
export const PENDING = 17;
