// The legacy VFIO container's numbers and structs, by byte. @see Linux include/uapi/linux/vfio.h

export const VFIO_API_VERSION = 0;

export const VFIO_GET_API_VERSION = 0x3b64;
export const VFIO_CHECK_EXTENSION = 0x3b65;
export const VFIO_SET_IOMMU = 0x3b66;
export const VFIO_IOMMU_GET_INFO = 0x3b70;
export const VFIO_IOMMU_MAP_DMA = 0x3b71;
export const VFIO_IOMMU_UNMAP_DMA = 0x3b72;
export const VFIO_IOMMU_DIRTY_PAGES = 0x3b75;

export const VFIO_TYPE1_IOMMU = 1;
export const VFIO_TYPE1V2_IOMMU = 3;
export const VFIO_DMA_CC_IOMMU = 4;
export const VFIO_NOIOMMU_IOMMU = 8;
export const VFIO_UNMAP_ALL = 9;
export const VFIO_UPDATE_VADDR = 10;

export const VFIO_DMA_MAP_FLAG_READ = 1;
export const VFIO_DMA_MAP_FLAG_WRITE = 2;
export const VFIO_DMA_UNMAP_FLAG_ALL = 2;

export const VFIO_IOMMU_INFO_PGSIZES = 1;
export const VFIO_IOMMU_INFO_CAPS = 2;
export const VFIO_INFO_CAP_IOVA_RANGE = 1;
export const VFIO_INFO_CAP_DMA_AVAIL = 3;

/** struct vfio_iommu_type1_dma_map. */
export const DMA_MAP = { bytes: 32, argsz: 0, flags: 4, vaddr: 8, iova: 16, size: 24 } as const;

/** struct vfio_iommu_type1_dma_unmap. */
export const DMA_UNMAP = { bytes: 24, argsz: 0, flags: 4, iova: 8, size: 16 } as const;

/** struct vfio_iommu_type1_info; what is needed of it ends after iovaPgsizes. */
export const INFO = { bytes: 24, minBytes: 16, argsz: 0, flags: 4, iovaPgsizes: 8, capOffset: 16 } as const;

/** struct vfio_info_cap_header, with which every capability begins. */
export const CAP_HEADER = { bytes: 8, id: 0, version: 2, next: 4 } as const;

/** struct vfio_iommu_type1_info_dma_avail. */
export const CAP_DMA_AVAIL = { bytes: 12, avail: 8 } as const;

/** struct vfio_iommu_type1_info_cap_iova_range, without its ranges. */
export const CAP_IOVA_RANGE = { bytes: 16, count: 8, rangeBytes: 16 } as const;
