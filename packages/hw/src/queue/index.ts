export {
  QUEUE_OVERFLOW,
  queueAdvance,
  queueConsistent,
  queueDistance,
  queueEmpty,
  queueFull,
  queueIndex,
  queueOverflowed,
  queueSlot,
  queueSpace,
  queueUsed,
} from './index-pair.ts';
