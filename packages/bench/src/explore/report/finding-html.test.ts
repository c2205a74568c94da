import { expect, test } from 'vitest';
import { makeFinding, makeLivelock, makeRace, makeSteps, makeThree } from './finding.test-data.ts';
import { findingHtml } from './finding-html.ts';

const VOID = new Set(['meta', 'br', '!doctype']);

/** Names of the elements that are not closed, or closed in the wrong order: markup that text has broken. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  for (const [, slash, name, closed] of html.matchAll(/<(\/?)([!a-z][\w-]*)(?:\s(?:[^">]|"[^"]*")*?)?(\/?)>/g)) {
    if (VOID.has(name) || closed) continue;
    if (slash === '') open.push(name);
    else if (open.at(-1) === name) open.pop();
    else return [...open, `/${name}`];
  }
  return open;
}

const FINDINGS = [
  ['two threads', makeFinding()],
  ['three threads', makeThree()],
  ['a race', makeRace()],
  ['a livelock', makeLivelock(600)],
  ['no step', makeFinding({ steps: [] })],
] as const;

test.each(FINDINGS)('%s: one file, nothing is fetched, no script, all elements closed', (_, finding) => {
  const html = findingHtml(finding);
  expect(html).toMatch(/^<!doctype html>\n/);
  expect(html).not.toMatch(/<(link|img|iframe|script|image|use)\b|\s(src|href)=|@import|url\(/i);
  expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'`);
  expect(unbalanced(html)).toEqual([]);
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
});

test('every thread, step, reason and object is in the diagram', () => {
  const html = findingHtml(makeFinding());
  for (const text of ['alice', 'bob', 'preempts alice', 'bob sleeps', 'mutex', 'counter', 'counter: store 0 → 1']) {
    expect(html).toContain(`>${text}</`);
  }
  expect(html.match(/<g class="step /g)).toHaveLength(8);
  expect(html.match(/<g class="step t0 breaks">/g)).toHaveLength(1);
  expect(html).toContain('>stuck: asleep on mutex.word</tspan>');
});

test('hovering shows the value and the whole stack', () => {
  const html = findingHtml(makeFinding());
  const hits = html.split('<g class="hit"').slice(1);
  expect(hits).toHaveLength(8);
  expect(hits[3]).toContain('>4  bob: mutex.word: wait = 2: asleep</tspan>');
  expect(hits[3]).toMatch(/>at sync\/park\.ts:12<.*>at sync\/mutex\.ts:33</s);
  expect(html).toContain('.hit:hover .more');
});

test('has the race’s accesses, the stuck threads and the command', () => {
  expect(findingHtml(makeRace())).toContain('prod: write ring.SLOT0<br><span class="soft">at ring/spsc.ts:41</span>');
  expect(findingHtml(makeFinding())).toContain('<li>bob: asleep on mutex.word<br>');
  expect(findingHtml(makeFinding())).toContain('--design &quot;unlock notifies nobody&quot; --replay v1:');
});

test('text is text, wherever it comes from', () => {
  const evil = `</text></svg><img src=x onerror="a('b')">&amp;\0`;
  const html = findingHtml(
    makeFinding({
      ...{ scenario: evil, design: evil, message: evil, threads: [evil, evil], token: evil },
      steps: makeSteps([[0, 'load', evil, evil, '', evil]]),
      race: [
        { thread: evil, what: evil, stack: [evil] },
        { thread: evil, what: evil, stack: [evil] },
      ],
      stuck: [{ thread: evil, where: evil, stack: [evil] }],
    }),
  );
  expect(html).not.toMatch(/<img|onerror="|<\/text><\/svg>&|\0/);
  expect(unbalanced(html)).toEqual([]);
});
