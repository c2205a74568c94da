import { describe } from 'vitest';
import { ModelHost } from './testing/model-host.ts';
import type { PriHostTraits } from './testing/pri-host.ts';
import { priHostContract } from './testing/pri-host-contract.ts';

const hosts: [string, Partial<PriHostTraits>][] = [
  ['as VT-d answers', { onOverflow: 'success', onOff: 'invalid' }],
  ['as the SMMU answers', { onOverflow: 'success', onOff: 'failure' }],
  ['that leaves everything it cannot take unanswered', { onOverflow: 'none', onOff: 'none', takesPlain: false }],
];

describe.each(hosts)('a model host %s', (_, traits) => {
  priHostContract((options) => new ModelHost(options, traits));
});
