// Makes one small file of the device worker and all it imports. 512 of them start at a time: with its 38 modules apart, a worker
// takes 2.6 MB more and several times as long.
import { rolldown } from 'rolldown';

const stress = new URL('../dist/stress/', import.meta.url);
const bundle = await rolldown({ input: new URL('device.worker.js', stress).pathname, platform: 'node' });
await bundle.write({ file: new URL('device.worker.cjs', stress).pathname, format: 'cjs' });
await bundle.close();
