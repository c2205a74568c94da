export { MAX_RING_CAPACITY, MAX_SLOT_WORDS, NO_SLOT } from './capacity.ts';
export { initMpmc, mpmcWords } from './mpmc.layout.ts';
export { MpmcConsumer, MpmcProducer } from './mpmc.ts';
export { initMpsc, mpscWords } from './mpsc.layout.ts';
export { MpscConsumer, MpscProducer } from './mpsc.ts';
export { initSpmc, spmcWords } from './spmc.layout.ts';
export { SpmcConsumer, SpmcProducer } from './spmc.ts';
export { initSpsc, spscWords } from './spsc.layout.ts';
export { SpscConsumer, SpscProducer } from './spsc.ts';
