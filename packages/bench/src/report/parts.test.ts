import { expect, test } from 'vitest';
import { makeCell, makeResult } from '../../test/cells.ts';
import type { Result } from '../result/schema.ts';
import { resultSchema } from '../result/schema.ts';
import { renderHtml } from './html.ts';
import { renderResult } from './table.ts';

const whole: Result = makeResult({
  parameters: { ...makeResult().parameters, iommu: 'vtd', groupPages: 4, atc: true, misbehave: 'responseLost' },
  cells: [
    makeCell({
      ...{ reported: 2500, answered: 2500, resumed: 2500 },
      groups: { sent: 2500, perSecond: 5000, pagesPerGroup: 4, pagesResumed: 10_000 },
      atc: { hits: 71, translations: 72, invalidations: 73, discarded: 74, breaches: 0 },
      admission: { places: 51, admitted: 1040, waited: 520, waitNs: 520_000_000, worstWaitNs: 3_000_000, out: 0 },
      faultFile: { reads: 61, groups: 62, writes: 63, refused: 64 },
      hostile: {
        ...{ requests: 81, groups: 82, reported: 83, answered: 84, rejected: 85, rejectedByDriver: 86 },
        ...{ succeeded: 87, invalid: 88, failures: 89, unexpected: 90, lost: 91, dropped: 92, strays: 0 },
      },
    }),
  ],
});

test('groups, kept translations and the device that misbehaves are in the table', () => {
  const text = renderResult(whole);
  expect(text).toContain('5 k/s groups of 4');
  expect(text).toMatch(/│ +71 │ +72 │ +73 │ +74 │ +0 │/);
  expect(text).toContain('50 % of jobs waited, ≤ 3 ms');
  expect(text).toMatch(/│ +51 │ +1040 │ +520 │ +1 ms │ +3 ms │/);
  expect(text).toContain('The fault file: ');
  expect(text).toMatch(/│ +61 │ +62 │ +63 │ +64 │/);
  expect(text).toContain('The device that misbehaves (responseLost)');
  expect(text).toMatch(/│ +81 │ +82 │ +83 │ +84 │ +85 │ +87 │ +88 │ +89 │ +90 │ +91 │ +92 │ +0 │/);
  expect(text).toContain('misbehave responseLost');
  expect(text).not.toContain('UNBALANCED');
});

test('and in the page', () => {
  const page = renderHtml(whole);
  expect(page).toContain('5 k/s groups of 4');
  expect(page).toContain('<td>71</td><td>72</td><td>73</td><td>74</td><td>0</td>');
  expect(page).toContain('<h2>The device that misbehaves (responseLost)</h2>');
  expect(page).toContain('<td>90</td><td>91</td><td>92</td><td>0</td>');
});

test('a result with them comes back from JSON as it was', () => {
  expect(resultSchema.parse(JSON.parse(JSON.stringify(whole)))).toEqual(whole);
});

test('a run without them shows nothing of them', () => {
  for (const text of [renderResult(makeResult()), renderHtml(makeResult())]) {
    expect(text).not.toContain('misbehaves');
    expect(text).not.toContain('Translations kept');
    expect(text).not.toContain('The fault file');
    expect(text).not.toContain('groups of');
  }
});
