// OPTION and IOAS_CHANGE_PROCESS. @see Linux drivers/iommu/iommufd/{main.c, ioas.c}
import { IommuError } from '@faultline/core/errors';
import { PAGE_BYTES } from '../caller/index.ts';
import type { Command, Context, Ucmd } from '../context/index.ts';
import { CONTEXT_RLIMIT_MODE } from '../machine/layout.ts';
import { OPTION, OPTION_HUGE_PAGES, OPTION_OP_GET, OPTION_OP_SET, OPTION_RLIMIT_MODE } from '../uapi/index.ts';
import { alignmentOf, checkAlignment } from './alignment.ts';
import { IOAS_ALIGNMENT, IOAS_FILLED, IOAS_NO_LARGE } from './layout.ts';
import type { Ioas } from './tables.ts';
import { withIoas } from './with-ioas.ts';

type OptionCmd = Ucmd<typeof OPTION>;

export const option: Command<typeof OPTION> = {
  struct: OPTION,
  answersIn: 'val64',
  run(context, cmd) {
    const { args } = cmd;
    if (args.optionId === OPTION_RLIMIT_MODE) rlimitMode(context, cmd);
    else if (args.optionId === OPTION_HUGE_PAGES)
      withIoas(context, 'OPTION', 'object_id', args.objectId, (ioas) => hugePages(ioas, cmd));
    else throw new IommuError('EOPNOTSUPP', 'OPTION', 'option_id', args.optionId, 'is not known');
    cmd.respond();
  },
};

function rlimitMode({ words, at, objects }: Context, { args, caller }: OptionCmd): void {
  if (args.objectId !== 0)
    throw new IommuError('EOPNOTSUPP', 'OPTION', 'object_id', args.objectId, 'must be 0 for RLIMIT_MODE');
  if (args.op === OPTION_OP_GET) {
    args.val64 = BigInt(Atomics.load(words, at + CONTEXT_RLIMIT_MODE));
    return;
  }
  checkSet(args.op);
  if (!caller.privileged) throw new IommuError('EPERM', 'OPTION', 'op', args.op, 'RLIMIT_MODE wants CAP_SYS_RESOURCE');
  if (!objects.isEmpty())
    throw new IommuError('EBUSY', 'OPTION', 'option_id', args.optionId, 'the context has objects already');
  Atomics.store(words, at + CONTEXT_RLIMIT_MODE, checkSwitch(args.val64));
}

function hugePages(ioas: Ioas, { args }: OptionCmd): void {
  const { words } = ioas.context;
  if (args.op === OPTION_OP_GET) {
    args.val64 = ioas.readAreas(() => (words[ioas.at + IOAS_NO_LARGE] === 1 ? 0n : 1n));
    return;
  }
  checkSet(args.op);
  const on = checkSwitch(args.val64);
  ioas.writeDomains(() => ioas.writeAreas(() => setLarge(ioas, on === 1)));
}

/** Context: both locks, for writing. @throws IommuError EINVAL domains have pages already; EADDRINUSE something is mapped by less than a page. */
export function setLarge(ioas: Ioas, on: boolean): void {
  const { words } = ioas.context;
  if (on) words[ioas.at + IOAS_NO_LARGE] = 0;
  else if (words[ioas.at + IOAS_NO_LARGE] === 0) {
    if (words[ioas.at + IOAS_FILLED] > 0 && ioas.areas.size > 0)
      throw new IommuError('EINVAL', 'OPTION', 'val64', 0, 'domains have pages mapped already');
    checkAlignment(ioas, 'OPTION', PAGE_BYTES);
    words[ioas.at + IOAS_NO_LARGE] = 1;
  }
  words[ioas.at + IOAS_ALIGNMENT] = alignmentOf(ioas);
}

function checkSet(op: number): void {
  if (op !== OPTION_OP_SET) throw new IommuError('EOPNOTSUPP', 'OPTION', 'op', op, 'is not known');
}

function checkSwitch(value: bigint): number {
  if (value > 1n) throw new IommuError('EINVAL', 'OPTION', 'val64', value, 'must be 0 or 1');
  return Number(value);
}
