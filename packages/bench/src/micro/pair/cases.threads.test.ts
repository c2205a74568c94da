import { expect, test } from 'vitest';
import { built } from '../../../test/built.ts';
import { CASES } from './cases.ts';
import { faultPathCases } from './fault-path.ts';

const { measurePair, measureTurns } = await built<typeof import('./measure.ts')>('micro/pair/measure.js');
const { measureHops } = await built<typeof import('./hops.ts')>('micro/pair/hops.js');
const { measurePiscina } = await built<typeof import('./piscina.ts')>('micro/pair/piscina.js');

const BRIEF = { repeats: 1, roundMs: 1 };

test.each(CASES)('$name: all that was sent comes', { timeout: 30_000 }, async (pair) => {
  const row = await measurePair(pair, BRIEF);
  expect(row.items).toBeGreaterThan(0);
  expect(row.median).toBeGreaterThan(0);
});

test('a round trip through a pool comes back', { timeout: 30_000 }, async () => {
  expect((await measurePiscina(BRIEF)).median).toBeGreaterThan(0);
});

test('a peer is compared with its counterpart turn by turn', { timeout: 30_000 }, async () => {
  const [ours, peer] = await measureTurns(faultPathCases.slice(0, 2), { repeats: 2, roundMs: 1 });
  expect(ours.inTurn).toBeUndefined();
  expect(peer.inTurn?.repeats).toBe(2);
});

test('actor events go to and fro, with and without a transition', { timeout: 30_000 }, async () => {
  const rows = await measureHops(BRIEF, 64);
  expect(rows).toHaveLength(3);
  for (const { median } of rows) expect(median).toBeGreaterThan(0);
});

test('what does not come whole is no figure', { timeout: 30_000 }, async () => {
  const pair = { ...CASES[0], check: () => 42 };
  await expect(measurePair(pair, BRIEF)).rejects.toThrow(/256 items gave -?\d+, not 42/);
});

test('names tell the cases apart, and every peer has its counterpart', () => {
  const names = CASES.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { peerOf } of CASES) if (peerOf !== undefined) expect(names).toContain(peerOf);
});
