import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defaultParameters } from './defaults.ts';
import { ParameterError, parseParameters } from './parameters.ts';

const base = { ...defaultParameters('stress', false) };

test.each(['stress', 'repro'] as const)('the defaults of %s can be run, quick or not', (command) => {
  for (const quick of [false, true]) {
    const parameters = { ...defaultParameters(command, quick) };
    expect(parseParameters(parameters)).toEqual(parameters);
  }
});

test.each([
  ['iommu', 'smmu', 'iommu = "smmu": must be one of smmu-v3, vtd, amd'],
  ['threads', [8, 0], 'threads[1] = 0: must be a whole number from 1 to 4096'],
  ['threads', [8, 8], 'threads[1] = 8: is there twice'],
  ['threads', [], 'threads = []: must name at least one of thread counts'],
  ['threads', 8, 'threads = 8: must be a list of thread counts'],
  ['generations', ['v8'], 'generations[0] = "v8": must be one of locked, v7, mainline, lockless, adaptive'],
  ['seconds', 0, 'seconds = 0: must be a number above 0, up to 3600'],
  ['repeats', -1, 'repeats = -1: must be a whole number from 1 to 1000'],
  ['devices', 9, 'devices = 9: must not exceed the smallest thread count, 8'],
  ['queueEntries', 1000, 'queueEntries = 1000: must be a power of two from 8 to 524288'],
  ['queueEntries', 4, 'queueEntries = 4: must be a power of two from 8 to 524288'],
  ['pagesPerJob', 513, 'pagesPerJob = 513: must be a whole number from 1 to 512'],
  ['groupPages', 513, 'groupPages = 513: must be a whole number from 1 to 512'],
  ['groupPages', 2, 'groupPages = 2: a stalled access is a group of its own: needs vtd or amd'],
  ['atc', true, 'atc = true: a device that stalls keeps no translations: needs vtd or amd'],
  ['atc', 'yes', 'atc = "yes": must be true or false'],
  ['misbehave', 'storm', 'misbehave = "storm": these are faults of PCIe endpoints: needs vtd or amd'],
  ['misbehave', 'badly', 'misbehave = "badly": must be one of creditsExceeded, groupIndexReused, '],
  ['handlers', 1.5, 'handlers = 1.5: must be a whole number from 1 to 1024'],
  ['maxActive', 0, 'maxActive = 0: must be a whole number from 1 to 65536'],
  ['scanner', -1, 'scanner = -1: must be a whole number from 0 to 3600000'],
  ['timeoutMs', '4200', 'timeoutMs = "4200": must be a whole number from 1 to 200000'],
  ['seed', 2 ** 32, 'seed = 4294967296: must be a whole number from 0 to 4294967295'],
  ['stallMax', 65536, 'stallMax = 65536: must be a whole number from 1 to 65535'],
  ['sharing', 'both', 'sharing = "both": must be one of split, shared'],
  ['lightFlush', 1, 'lightFlush = 1: must be true or false'],
  ['handler', 'svm', 'handler = "svm": must be one of sva, noop, iommufd'],
  ['faults', 5, 'seconds = 1: a cell has one length, and faults = 5 is given too'],
  ['frequency', 1, 'frequency = 1: is no parameter'],
])('%s = %j is refused with field and value', (field, value, message) => {
  const run = (): unknown => parseParameters({ ...base, [field]: value });
  expect(run).toThrow(ParameterError);
  expect(run).toThrow(message);
});

test.each([
  ['vtd', 'queueEntries', { queueEntries: 64 }, 'queueEntries = 64: must be a power of two from 128 to 16384 with vtd'],
  ['vtd', 'queueEntries', { queueEntries: 2 ** 15 }, 'queueEntries = 32768: must be a power of two from 128 to 16384'],
  [
    'amd',
    'queueEntries',
    { queueEntries: 128 },
    'queueEntries = 128: must be a power of two from 256 to 32768 with amd',
  ],
  [
    'amd',
    'devices',
    { threads: [8, 1025], devices: 2 },
    'devices = 2: a PCIe function has 512 groups, and 1025 threads',
  ],
] as const)('behind %s, %s has limits of its own', (iommu, _, over, message) => {
  expect(() => parseParameters({ ...base, ...over, iommu })).toThrow(message);
  expect(parseParameters({ ...base, ...over, iommu: 'smmu-v3' })).toMatchObject(over);
});

test.each(['vtd', 'amd'] as const)(
  '%s takes groups, translations kept by endpoints, and one device that misbehaves',
  (iommu) => {
    const all = { ...base, iommu, threads: [8], groupPages: 512, atc: true, misbehave: 'storm' };
    expect(parseParameters(all)).toEqual(all);
  },
);

test('translations are kept only where all commands that they cause have room', () => {
  const most = { vtd: 16_384, amd: 32_768 } as const;
  for (const iommu of ['vtd', 'amd'] as const) {
    const all = { ...base, iommu, queueEntries: most[iommu], threads: [8], handlers: 2, atc: true };
    // 8 device threads, 2 handlers, the interrupt and the driver beside it; each has 2 devices' invalidations under way, and three more.
    expect(() => parseParameters(all)).toThrow(
      `atc = true: ${most[iommu] + 12 * 5} commands may be under way, and the queue of ${iommu} holds ${most[iommu] - 1}`,
    );
    expect(() => parseParameters({ ...all, queueEntries: most[iommu] / 2 })).not.toThrow();
  }
});

test('the fault file has no stages that are measured', () => {
  expect(() => parseParameters({ ...base, handler: 'iommufd', stages: true })).toThrow(
    'stages = true: the fault file has',
  );
  expect(parseParameters({ ...base, handler: 'noop', stages: true })).toMatchObject({ stages: true });
});

test('a cell needs a length', () => {
  const { seconds: _, ...rest } = base;
  expect(() => parseParameters(rest)).toThrow('give faults or seconds');
});

test('every problem is told, not the first alone', () => {
  try {
    parseParameters({ ...base, threads: [0], handlers: 0, queueEntries: 7 });
    expect.unreachable();
  } catch (error) {
    expect((error as ParameterError).problems.map((problem) => problem.path[0])).toEqual([
      'threads',
      'queueEntries',
      'handlers',
    ]);
  }
});

test('a queue length is accepted exactly when it is a power of two within the limits', () => {
  const powers = new Set(Array.from({ length: 17 }, (_, i) => 2 ** (i + 3)));
  fc.assert(
    fc.property(fc.oneof(fc.integer(), fc.constantFrom(...powers)), (queueEntries) => {
      const run = (): unknown => parseParameters({ ...base, queueEntries });
      if (powers.has(queueEntries)) run();
      else expect(run).toThrow(ParameterError);
    }),
  );
});
