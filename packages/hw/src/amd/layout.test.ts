import { describe, expect, test } from 'vitest';
import { amdLayout, amdWords, initAmd } from './layout.ts';

const CONFIG = { pprEntries: 512, eventEntries: 256, commandEntries: 512, devices: 64, ports: 1, gcr3Tables: 2 };

describe('layout', () => {
  test('rings and tables are 4 KiB aligned wherever the base is, and end inside', () => {
    for (const base of [32, 1024, 1056, 5000 * 32]) {
      const words = new Int32Array(new SharedArrayBuffer((base + amdWords(CONFIG)) * 4));
      initAmd(words, base, CONFIG);
      for (let part = 11; part <= 15; part++) expect((base + words[base + part]) % 1024).toBe(0);
      expect(words[base + 15] + CONFIG.pprEntries * 4).toBeLessThanOrEqual(amdWords(CONFIG));
    }
    expect(amdLayout.words).toBeLessThanOrEqual(16 * 32);
  });

  test.each([
    [{ pprEntries: 128 }, 'pprEntries'],
    [{ eventEntries: 65536 }, 'eventEntries'],
    [{ commandEntries: 300 }, 'commandEntries'],
    [{ devices: 0 }, 'devices'],
    [{ ports: 0 }, 'ports'],
    [{ gcr3Tables: -1 }, 'gcr3Tables'],
  ])('%j is refused', (wrong, field) => {
    expect(() => amdWords({ ...CONFIG, ...wrong })).toThrow(`amdWords: ${field} = `);
  });
});
