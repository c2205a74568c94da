import { LINE } from '@faultline/core/sync';
import { histogramWords, initHistogram } from '@faultline/core/trace';
import { describe, expect, test } from 'vitest';
import { initDeviceResults, readDeviceResults } from '../accelerator/device-results.ts';
import { DeviceThread, STEP_BUSY, STEP_FINISHED } from '../accelerator/device-thread.ts';
import { packTranslation } from './atc.ts';
import { EndpointMemory, pageAgent, type TranslationAgent } from './endpoint-memory.ts';
import { PRG_INVALID, PRG_SUCCESS } from './pri-port.layout.ts';
import { EndpointRig } from './testing/endpoint-rig.ts';

/** Pages as a set, and how often it was asked. */
class Pages {
  readonly present: Set<number> = new Set();
  asked = 0;
  translate(lo: number): boolean {
    this.asked++;
    return this.present.has(lo);
  }
  discard(start: number, pages: number): number {
    for (let page = start; page < start + pages; page++) this.present.delete(page);
    return pages;
  }
}

describe('an address space seen through an endpoint', () => {
  function open(agent?: TranslationAgent): { rig: EndpointRig; pages: Pages; memory: EndpointMemory } {
    const rig = new EndpointRig();
    const pages = new Pages();
    return { rig, pages, memory: new EndpointMemory(rig.words, rig.endpoint, agent ?? pageAgent(pages), 5, pages) };
  }

  test('asks once, then finds it cached, until it is invalidated', () => {
    const { rig, pages, memory } = open();
    expect(memory.translate(7, 0, 1)).toBe(false);
    pages.present.add(7);
    for (let i = 0; i < 5; i++) expect(memory.translate(7, 0, 1)).toBe(true);
    expect(pages.asked).toBe(2);
    expect([rig.stat('hits'), rig.stat('translations')]).toEqual([4, 2]);
    memory.discard(7, 1);
    expect(memory.translate(7, 0, 1)).toBe(true); // nobody has told the function
    rig.host.invalidate(0, 7, 0, 5);
    expect(memory.translate(7, 0, 1)).toBe(false);
    expect(rig.host.take()).toEqual([]);
    expect(rig.host.completed).toEqual([0]);
  });

  test('without ATS every access is translated by the IOMMU', () => {
    const { rig, pages, memory } = open();
    rig.ats.disable();
    pages.present.add(7);
    for (let i = 0; i < 5; i++) expect(memory.translate(7, 0, 1)).toBe(true);
    expect(pages.asked).toBe(5);
    expect(rig.endpoint.atc.size).toBe(0);
  });

  test('an answer that an invalidation overtook is not used: asked again', () => {
    let asked = 0;
    const agent: TranslationAgent = {
      translate: () => {
        asked++;
        if (asked > 1) return 0; // the table has changed
        rig.host.invalidate(1, 7, 0, 5);
        rig.endpoint.pump(); // the invalidation comes while the answer is under way
        return packTranslation(1, 0);
      },
    };
    const { rig, memory } = open(agent);
    expect(memory.translate(7, 0, 1)).toBe(false);
    expect(asked).toBe(2);
    expect(rig.stat('stale')).toBe(1);
  });

  test('partial grants do not satisfy', () => {
    const { memory } = open({ translate: () => packTranslation(1, 9) });
    expect(memory.translate(7, 0, 3)).toBe(false);
    expect(memory.translate(8, 0, 1)).toBe(true);
  });
});

describe('as device of the accelerator', () => {
  const AREA = 64;
  function device(rig: EndpointRig): {
    thread: DeviceThread;
    pages: Pages;
    results: number;
    words: EndpointRig['words'];
  } {
    const pages = new Pages();
    const words = new Int32Array(new SharedArrayBuffer((2 * LINE + histogramWords()) * 4));
    initDeviceResults(words, LINE);
    initHistogram(words, 2 * LINE);
    const memory = new EndpointMemory(rig.words, rig.endpoint, pageAgent(pages), 5, {
      discard: (start, count) => {
        pages.discard(start, count);
        rig.host.invalidate(0, 0, 52);
        return count;
      },
    });
    const thread = new DeviceThread(words, memory, rig.endpoint.openQueue(5, 16), {
      basePage: 0,
      pagesPerJob: 16,
      windows: 4,
      passes: 2,
      perm: 1,
      timeoutTicks: 1e6,
      clock: () => rig.tick,
      stopAt: 1,
      budgetAt: 0,
      resultsAt: LINE,
      histogramAt: 2 * LINE,
    });
    return { thread, pages, results: LINE, words };
  }

  test('jobs fault in their window page by page, over groups, and are done; refusals fail them', () => {
    const rig = new EndpointRig({ credits: 8, groupPages: 3, interleave: 2 });
    const { thread, pages, words } = device(rig);
    let answers = 0;
    for (let steps = 0; steps < 20_000; steps++) {
      const found = thread.step();
      if (found === STEP_FINISHED) break;
      if (readDeviceResults(words, LINE).jobs >= 12) words[1] = 1;
      if (found === STEP_BUSY) continue;
      const seen = rig.host.take();
      const refuse = ++answers % 20 === 0;
      if (!refuse) for (const { page } of seen) pages.present.add(page);
      rig.host.answer(seen, refuse ? PRG_INVALID : PRG_SUCCESS);
    }
    const results = readDeviceResults(words, LINE);
    expect(results.finished).toBe(true);
    expect(results.jobs).toBeGreaterThanOrEqual(12);
    expect(results.posted).toBe(results.resumed + results.aborted);
    expect(results.aborted).toBeGreaterThan(0);
    expect(results.failed).toBeGreaterThan(0);
    expect(results.timeouts).toBe(0);
    expect(rig.stat('requests')).toBe(results.posted);
    expect(rig.endpoint.outstanding).toBe(0);
    expect(rig.stat('peakOutstanding')).toBeLessThanOrEqual(8);
    expect(pages.present.size).toBeLessThanOrEqual(AREA);
  });
});
