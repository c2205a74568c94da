import { FailPoint } from '../memory/index.ts';
import { initPhysicalMemory, PhysicalMemory, physicalMemoryWords } from './physical-memory.ts';
import { initProcessMemory, ProcessMemory, processMemoryWords, UNLIMITED } from './process-memory.ts';
import { PAGE_BYTES } from './user-memory.ts';

const FRAMES = 64;
const PAGES = 64;
const RAM_AT = 32;

/** Two empty processes over one RAM. */
export function processes(options: { readonly limit?: number } = {}): {
  ram: PhysicalMemory;
  parent: ProcessMemory;
  child: ProcessMemory;
} {
  const parentAt = RAM_AT + physicalMemoryWords(FRAMES);
  const childAt = parentAt + processMemoryWords(PAGES);
  const words = new Int32Array(new SharedArrayBuffer((childAt + processMemoryWords(PAGES)) * 4));
  initPhysicalMemory(words, RAM_AT, FRAMES);
  for (const at of [parentAt, childAt]) initProcessMemory(words, at, PAGES, options.limit ?? UNLIMITED);
  const bytes = new SharedArrayBuffer((FRAMES + 1) * PAGE_BYTES);
  const ram = new PhysicalMemory(words, RAM_AT, bytes, { id: 1, spins: 0 }, new FailPoint());
  return { ram, parent: new ProcessMemory(ram, parentAt), child: new ProcessMemory(ram, childAt) };
}
