export { MpmcConsumer, MpmcProducer } from './mpmc.ts';
export { initMpmc, mpmcWords } from './mpmc.layout.ts';
export { MpscConsumer, MpscProducer } from './mpsc.ts';
export { initMpsc, mpscWords } from './mpsc.layout.ts';
export { MAX_RING_CAPACITY, MAX_SLOT_WORDS, NO_SLOT } from './place.ts';
export { SpmcConsumer, SpmcProducer } from './spmc.ts';
export { initSpmc, spmcWords } from './spmc.layout.ts';
export { SpscConsumer, SpscProducer } from './spsc.ts';
export { initSpsc, spscWords } from './spsc.layout.ts';
