// Makes one file of each worker entry and what it imports, for two reasons. V8 folds a module's own constants, but loads and
// checks imported ones at every use: the fault path, and a schedule of the checker, run a fifth faster in one file. And 512 device
// workers start at a time: with its 38 modules apart, each takes 2.6 MB more and several times as long.
import { cp, rename } from 'node:fs/promises';
import { rolldown } from 'rolldown';

const dist = new URL('../dist/', import.meta.url);
/** What a host's setup shares with the host itself, and what is not ours. */
const external = [/^node:/, '@faultline/core/actor', 'xstate', 'eventemitter3', 'piscina', 'ringbuf.js'];

async function bundle(entry: string, format: 'esm' | 'cjs', to: string): Promise<void> {
  const build = await rolldown({ input: new URL(entry, dist).pathname, platform: 'node', external });
  const file = new URL(`${to}.bundle`, dist).pathname;
  await build.write({ file, format, codeSplitting: false });
  await build.close();
  await rename(file, new URL(to, dist).pathname);
}

// CommonJS starts faster, and one of these is started 512 times.
for (const iommu of ['smmu-v3', 'vtd', 'amd'])
  await bundle(`stress/device.${iommu}.worker.js`, 'cjs', `stress/device.${iommu}.worker.cjs`);
for (const entry of [
  'stress/handler.worker',
  'stress/hardware-host',
  'stress/interrupt-host',
  'perfetto/overhead/without.worker',
  'perfetto/overhead/traced.worker',
  'calibrate/calibrate.worker',
  'explore/engine/thread.worker',
  'micro/costs/cost.worker',
  'micro/pair/pair.worker',
  'micro/iommufd/key.worker',
  'replay/run/replay.worker',
  'verdict/simulate.worker',
])
  await bundle(`${entry}.js`, 'esm', `${entry}.js`);

// Machines that the model knows are files, read at run time.
await cp(new URL('../src/model/presets', import.meta.url), new URL('model/presets', dist), { recursive: true });
