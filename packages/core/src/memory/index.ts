export { Arena, type ArenaPlan, planArena, type Region, type RegionSpec, type SharedArena } from './arena.ts';
export { defineLayout, describeLayout, type Layout, type LayoutField, layoutOffset } from './layout.ts';
export { alignLine, checkRegion } from './region.ts';
export { OBJECT_FREE, OBJECT_GRACE, OBJECT_LIVE, POISON, slabLayout } from './slab.layout.ts';
export { initSlab, Slab, slabWords } from './slab.ts';
export { SlabCache, type SlabCacheOptions } from './slab-cache.ts';
