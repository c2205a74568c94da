import type { AnyCommand } from './command.ts';
import { destroy } from './destroy.ts';

/** Every ioctl of /dev/iommu. */
export const COMMANDS: readonly AnyCommand[] = [destroy];
