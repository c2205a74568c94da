// A VMM that hands its mappings on: what files are mapped is charged to another process from there on.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { IOAS_CHANGE_PROCESS, IOAS_MAP_FILE, OPTION, OPTION_OP_SET, OPTION_RLIMIT_MODE } from '../uapi/index.ts';
import { APERTURE, FIXED, ioasAlloc, mapFixed, mockDomain, unmap } from './actions.test-help.ts';
import { variants } from './inventory.ts';
import { type Device, PAGE, System } from './system.test-help.ts';

interface Variant {
  readonly privileged: boolean;
  readonly perProcess: boolean;
}
const VARIANTS = variants<Variant>('change_process', {
  account_none: { privileged: true, perProcess: false },
  account_user: { privileged: false, perProcess: false },
  account_mm: { privileged: false, perProcess: true },
});
const PAGES = 4;

describe.each(VARIANTS)('change_process.%s', (_name, { privileged, perProcess }) => {
  let system: System;
  let device: Device;
  beforeEach(() => {
    system = new System();
    device = system.process.open();
    const val64 = perProcess ? 1n : 0n;
    device.call(OPTION, { optionId: OPTION_RLIMIT_MODE, op: OPTION_OP_SET, val64 });
    system.process.privileged = privileged;
  });
  afterEach(() => system.expectNothingLeft());

  test('basic', () => {
    const { process } = system;
    const ioasId = ioasAlloc(device);
    mockDomain(device, ioasId);
    const { fd } = process.memfd(PAGES * PAGE);
    device.call(IOAS_MAP_FILE, { flags: FIXED, ioasId, fd, length: BigInt(PAGES * PAGE), iova: APERTURE });
    const child = system.fork(device);
    child.process.privileged = privileged;
    /** Pages that count as locked and as pinned, of the parent and the child. */
    const counts = (): number[] =>
      [process, child.process].flatMap(({ memory }) => [memory.charged(), memory.pinnedPages()]);
    const locked = perProcess ? PAGES : 0;
    const own = [locked, PAGES, 0, 0];
    const moved = privileged ? own : [0, 0, locked, PAGES]; // what nobody is charged for does not move
    expect(counts()).toEqual(own);

    // What is not a file's stays who mapped it: nothing changes.
    const memory = process.memory.mmap(PAGE);
    mapFixed(device, ioasId, memory, PAGE, APERTURE + BigInt(PAGES * PAGE));
    expect(child.device.errno(IOAS_CHANGE_PROCESS)).toBe('EINVAL');
    unmap(device, ioasId, APERTURE + BigInt(PAGES * PAGE), PAGE);
    expect(counts()).toEqual(own);

    child.device.call(IOAS_CHANGE_PROCESS);
    expect(counts()).toEqual(moved);
    child.device.call(IOAS_CHANGE_PROCESS); // it is its own already
    expect(counts()).toEqual(moved);
    device.call(IOAS_CHANGE_PROCESS);
    expect(counts()).toEqual(own);
    unmap(device, ioasId, APERTURE, PAGES * PAGE);
    expect(counts()).toEqual([0, 0, 0, 0]);
    system.exit(child);
  });
});
