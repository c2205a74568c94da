// What a user of the packages does: install the tarballs into a project of their own, copy the README's example, run it.
// Outside the workspace nothing is linked: what was not packed, exported or declared as a dependency is missing here.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readExamples, readFiles } from './readme-example.ts';

const PACKAGES = ['core', 'hw', 'iommufd', 'bench'] as const;
const root = fileURLToPath(new URL('../../', import.meta.url));
/** What each README's examples must come to print, in their order. */
const SHOWS = {
  core: [/^page 4660 answered$/m],
  hw: [/^resumed: try again$/m, /^write at page 0xdeadb, group 511, its last$/m, /^256 dirty pages$/m],
  iommufd: [/^device \d+ wants page 0x1000: mapped$/m],
  bench: [/^lockless: .* books balance$/m],
} as const;
const TSCONFIG = {
  compilerOptions: {
    ...{ target: 'ES2024', module: 'NodeNext', strict: true, erasableSyntaxOnly: true, verbatimModuleSyntax: true },
    ...{
      noEmit: true,
      allowImportingTsExtensions: true,
      types: ['node'],
      typeRoots: [join(root, '../node_modules/@types')],
    },
  },
  include: ['*.ts'],
};
/** A scenario in plain JavaScript, whose second thread may look too early. */
const PLAIN = `import { scenario } from '@faultline/bench/explore';
export const message = scenario(import.meta.url, {
  name: 'plain/message',
  about: 'Is the message there once it is announced?',
  source: 'message.js',
  memory: [{ name: 'data', words: 1 }, { name: 'ready', words: 1 }],
  threads: {
    writer: { run({ words, at }) { Atomics.store(words, at('ready'), 1); words[at('data')] = 42; } },
    reader: { run({ words, at }) { return Atomics.load(words, at('ready')) === 1 ? words[at('data')] : 42; } },
  },
});
`;
const EXPLORE_PLAIN = `import { exploreScenario } from '@faultline/bench/explore';
import { message } from './message.js';
const { finding } = await exploreScenario(message);
console.log(finding?.kind, finding?.message);
`;
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'faultline-consumer-'));
  const tarballs: Record<string, string> = {};
  for (const name of PACKAGES) {
    const from = join(root, name);
    if (!existsSync(join(from, 'dist'))) throw new Error(`packages/${name}/dist is missing: run the build first`);
    const tarball = join(project, `${name}.tgz`);
    await pnpm(from, 'pack', '--out', tarball);
    tarballs[`@faultline/${name}`] = `file:${tarball}`;
  }
  const manifest = { name: 'consumer', private: true, type: 'module', dependencies: tarballs };
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
  // The packages name one another by version, and no registry has them: the tarballs stand in for those too.
  const overrides = Object.entries(tarballs).map(([name, tarball]) => `  '${name}': '${tarball}'\n`);
  await writeFile(join(project, 'pnpm-workspace.yaml'), `overrides:\n${overrides.join('')}`);
  await pnpm(project, 'install', '--prefer-offline', '--ignore-scripts');
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  for (const name of PACKAGES) {
    const readme = await readFile(join(project, 'node_modules/@faultline', name, 'README.md'), 'utf8');
    const examples = readExamples(readme, `packages/${name}/README.md`);
    expect(examples.length).toBe(SHOWS[name].length);
    for (const [i, { code }] of examples.entries()) await writeFile(join(project, `${name}-example-${i}.ts`), code);
  }
  const explore = await readFile(join(project, 'node_modules/@faultline/bench/src/explore/README.md'), 'utf8');
  for (const [file, code] of readFiles(explore)) await writeFile(join(project, file), code);
  await writeFile(join(project, 'message.js'), PLAIN);
  await writeFile(join(project, 'explore-plain.js'), EXPLORE_PLAIN);
}, 120_000);

afterAll(() => rm(project, { recursive: true, force: true }));

const EXAMPLES = PACKAGES.flatMap((name) => SHOWS[name].map((shows, i) => [name, i, shows] as const));

test.each(EXAMPLES)(
  "%s's README: example %i runs from the installed package",
  { timeout: 60_000 },
  async (name, i, shows) => {
    const { stdout, stderr } = await run(process.execPath, [join(project, `${name}-example-${i}.ts`)], project);
    expect(stderr).toBe('');
    expect(stdout).toMatch(shows);
  },
);

test('the examples type-check against the installed declarations, and those against their dependencies', async () => {
  const { stdout } = await run(join(root, '../node_modules/.bin/tsc'), ['-p', project], project);
  expect(stdout).toBe('');
}, 60_000);

test('the command runs from the installed package', async () => {
  const { stdout } = await run(join(project, 'node_modules/.bin/faultline'), ['--help'], project);
  expect(stdout).toContain('repro');
}, 60_000);

test("the scenario in the checker's README is explored, its bug found and what mends it exhausted", async () => {
  const { stdout, stderr } = await run(process.execPath, [join(project, 'explore-nap.ts')], project);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^lost wake-up: asleep for ever: sleeper on asleep.*\nv1:my\/nap@look\S+\n/);
  expect(stdout).toMatch(/^announce, look, sleep: \d+ schedules, exhausted$/m);
}, 60_000);

test('a scenario in plain JavaScript is explored, and its race found', async () => {
  const { stdout, stderr } = await run(process.execPath, [join(project, 'explore-plain.js')], project);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^data race .*data/);
}, 60_000);

test('the installed command lists scenarios, explores one, and runs it on real threads', async () => {
  const faultline = join(project, 'node_modules/.bin/faultline');
  const list = await run(faultline, ['explore', '--list'], project);
  for (const name of ['000/domain-free', 'museum/lost-return', 'structures/xarray'])
    expect(list.stdout).toContain(name);
  const mutex = await run(faultline, ['explore', 'structures/mutex'], project);
  expect(mutex.stdout).toMatch(/^\d+ schedules, exhausted/m);
  const litmus = await run(faultline, ['litmus', 'structures/mutex', '--seconds', '0.2'], project);
  expect(litmus.stdout).toContain('│ structures/mutex │ as shipped │ holds');
}, 60_000);

function pnpm(cwd: string, ...args: string[]): Promise<{ stdout: string; stderr: string }> {
  return run('npx', ['-y', 'pnpm@12', ...args], cwd);
}

/** Runs to the end, and fails with all that was printed. */
async function run(file: string, args: string[], cwd: string): Promise<{ stdout: string; stderr: string }> {
  try {
    return await promisify(execFile)(file, args, { cwd, timeout: 100_000 });
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout: string; stderr: string };
    throw new Error(`${message}\n${stdout}\n${stderr}`, { cause: error });
  }
}
