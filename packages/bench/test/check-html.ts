// Opens a report in headless Chromium and looks: is every plot drawn, is the console clean, was nothing fetched?
//   node packages/bench/test/check-html.ts REPORT.html [--screenshot FILE] [--dark] [--width PIXELS]
/// <reference lib="dom" />
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { chromium } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface ReportCheck {
  /** Plots that the report announces. */
  expected: number;
  /** Plots with something other than background on their canvas. */
  drawn: number;
  /** What the console said, errors that nobody caught, and requests beyond the file. */
  complaints: string[];
}

/** @throws when Chromium cannot be started or the file cannot be opened. */
export async function checkHtml(
  file: string,
  options: { screenshot?: string; dark?: boolean; width?: string },
): Promise<ReportCheck> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  try {
    const page = await browser.newPage({
      viewport: { width: Number(options.width ?? 1280), height: 900 },
      colorScheme: options.dark ? 'dark' : 'light',
    });
    const complaints: string[] = [];
    const url = pathToFileURL(file).href;
    page.on('console', (message) => complaints.push(`console ${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
    page.on('request', (request) => {
      if (request.url() !== url) complaints.push(`request: ${request.url()}`);
    });
    await page.goto(url, { waitUntil: 'load' });
    const { expected, drawn } = await page.evaluate(countDrawn);
    const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (beyond > 0) complaints.push(`the page is ${beyond} pixels wider than the window`);
    if (options.screenshot !== undefined) await page.screenshot({ path: options.screenshot, fullPage: true });
    return { expected, drawn, complaints };
  } finally {
    await browser.close();
  }
}

/** Runs in the page. A canvas counts when some hundred pixels are opaque: axes alone have fewer than a curve with its points. */
function countDrawn(): { expected: number; drawn: number } {
  const drawn = [...document.querySelectorAll<HTMLCanvasElement>('.plot canvas')].filter((canvas) => {
    const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data;
    let opaque = 0;
    for (let at = 3; pixels && at < pixels.length; at += 4) if (pixels[at] > 0) opaque += 1;
    return opaque > 300;
  });
  return { expected: Number(document.body.dataset.plots), drawn: drawn.length };
}

if (import.meta.main) {
  const program = new Command('check-html')
    .argument('<report>')
    .option('--screenshot <file>')
    .option('--width <pixels>', 'of the window; a phone has about 390')
    .option('--dark', 'as a reader who prefers dark sees it')
    .parse();
  const check = await checkHtml(program.args[0], program.opts());
  const good = check.expected > 0 && check.drawn === check.expected && check.complaints.length === 0;
  for (const complaint of check.complaints) console.error(complaint);
  console.log(`${check.drawn} of ${check.expected} plots drawn, ${check.complaints.length} complaints`);
  process.exitCode = good ? 0 : 1;
}
