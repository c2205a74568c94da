export { Arena, type ArenaPlan, planArena, type Region, type RegionSpec, type SharedArena } from './arena.ts';
export { defineLayout, describeLayout, type Layout, type LayoutField, layoutOffset } from './layout.ts';
export { alignLine, checkRegion } from './region.ts';
