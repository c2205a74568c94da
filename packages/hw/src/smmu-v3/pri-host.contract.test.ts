import { describe } from 'vitest';
import { priHostContract } from '../pcie/testing/index.ts';
import { SmmuPriHost } from './pri-host.test-help.ts';

describe('an SMMU whose page requests go to the core', () => {
  priHostContract((options) => new SmmuPriHost(options));
});
