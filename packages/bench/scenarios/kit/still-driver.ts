// An IOMMU that does nothing and refuses nothing that scenarios ask of it: what they look at is iommufd's own state.
import { IommuError } from '@faultline/core/errors';
import {
  type DeviceTraits,
  type DomainGeometry,
  HWPT_ALLOC_NEST_PARENT,
  type IommufdDriver,
  type IovaRange,
} from './iommufd.ts';

/** A vIOMMU type that {@link StillDriver} has. */
export const STILL_VIOMMU = 1;

const GEOMETRY: DomainGeometry = { aperture: { start: 0n, last: 2n ** 39n - 1n }, pageSizes: 4096n };
const NO_RANGES: readonly IovaRange[] = [];

function refuse(call: string): never {
  throw new IommuError('EOPNOTSUPP', call, 'driver', 0, 'the IOMMU of scenarios has none');
}

/** Each device is a group of its own; all are behind one IOMMU. */
export class StillDriver implements IommufdDriver {
  traits(device: number): DeviceTraits {
    return {
      iommu: 1,
      group: device,
      coherent: true,
      isolated: true,
      priVirtualFunction: false,
      maxPasidLog2: 0,
      capabilities: 0,
    };
  }
  reservedRanges(): readonly IovaRange[] {
    return NO_RANGES;
  }
  hwInfo(): undefined {}

  allocPaging(): DomainGeometry {
    return GEOMETRY;
  }
  allocNested(): void {}
  freeDomain(): void {}
  attach(): void {}
  detach(): void {}

  map(): void {}
  unmap(): void {}
  syncUnmaps(): void {}
  iovaToPhys(): number {
    return -1;
  }

  setDirtyTracking(): void {}
  readDirty(): void {}
  syncDirty(): void {}
  invalidateDomain(): never {
    return refuse('HWPT_INVALIDATE');
  }

  hasViommu(): boolean {
    return true;
  }
  hasHwQueue(): boolean {
    return true;
  }
  allocViommu(): void {}
  freeViommu(): void {}
  invalidateViommu(): never {
    return refuse('HWPT_INVALIDATE');
  }
  allocVdevice(): void {}
  freeVdevice(): void {}
  veventBytes(): number {
    return 16;
  }
  allocHwQueue(): number {
    return -1;
  }
  freeHwQueue(): void {}
}

/** What a vIOMMU is made on. */
export const NEST_PARENT = HWPT_ALLOC_NEST_PARENT;
