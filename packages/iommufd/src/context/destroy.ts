import { DESTROY } from '../uapi/index.ts';
import type { Command } from './command.ts';

/** @see Linux drivers/iommu/iommufd/main.c iommufd_destroy() */
export const destroy: Command<typeof DESTROY> = {
  struct: DESTROY,
  run: ({ objects }, { args }) => objects.destroy('DESTROY', args.id),
};
