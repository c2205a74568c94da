// One xarray's shared words: a pool of nodes, and a root that names the node of each 1024 indices.
import { defineLayout, type Layout } from '../memory/layout.ts';
import { alignLine } from '../memory/region.ts';
import { LINE } from '../sync/thread-self.ts';

export const SLOT_BITS = 10;
export const SLOTS: number = 1 << SLOT_BITS;
export const SLOT_MASK: number = SLOTS - 1;
/** Indices are 0..MAX_INDEX, 20 bits: as wide as a PASID. */
export const MAX_INDEX: number = (1 << 20) - 1;
export const MAX_NODES: number = 1 << 10;

export const NODES = 0; // of the pool
export const SPARE: number = LINE; // tag << 16 | first of the nodes that lost a race
export const CLAIMED: number = 2 * LINE; // nodes 1..CLAIMED have left the pool at least once
export const ROOT: number = 3 * LINE; // node of indices i * 1024.., 0 for none; written once
export const LINKS: number = ROOT + SLOTS; // next spare node, a word a node

// A node: its slots, and a bit a slot that says where not to look for a free one.
export const USED: number = SLOT_MASK + 1;
export const USED_WORDS: number = SLOTS / 32;
export const NODE_WORDS: number = SLOTS + USED_WORDS;

/** Word offset of node 1. */
export function nodesOffset(maxNodes: number): number {
  return alignLine(LINKS + maxNodes + 1);
}

/** An xarray of up to `maxNodes` nodes, as a table. */
export function xarrayLayout(maxNodes: number): Layout {
  return defineLayout('xarray', [
    { name: 'NODES', offset: 0, width: 1, unit: 'nodes', writer: 'init' },
    { name: 'SPARE', offset: 32, width: 1, unit: 'tag << 16 | node', writer: 'who gives or takes a spare' },
    { name: 'CLAIMED', offset: 64, width: 1, unit: 'nodes', writer: 'who takes a fresh node' },
    { name: 'ROOT', offset: 96, width: 1024, unit: 'node', writer: 'who installs a node, once a word' },
    { name: 'LINKS', offset: 1120, width: maxNodes + 1, unit: 'node', writer: 'who holds the node' },
    {
      name: 'SLOTS',
      offset: nodesOffset(maxNodes),
      width: maxNodes * 1056,
      unit: '1024 values, 32 words of bits',
      writer: 'all',
    },
  ]);
}
