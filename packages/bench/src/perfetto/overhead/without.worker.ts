// No tracing code is in this thread.
import { runLoop } from './loop.ts';

await runLoop(undefined, () => {});
