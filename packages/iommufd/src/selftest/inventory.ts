// What the kernel's selftest has, by the names it uses, and what each name stands for here. Data: for a table of what is covered by what.
// @see Linux tools/testing/selftests/iommu/{iommufd.c, iommufd_fail_nth.c}

export interface Fixture {
  readonly name: string;
  /** Configurations that every test is run with; none: one run. */
  readonly variants: readonly string[];
  /** From a test's name to the behaviour that it holds. */
  readonly tests: Readonly<Record<string, string>>;
}

export const FIXTURES: readonly Fixture[] = [
  {
    name: 'iommufd',
    variants: [],
    tests: {
      simple_close: 'opening and closing leaves nothing',
      cmd_fail: 'an id that names nothing, a null argument, an unknown number',
      cmd_length: 'sizes that are too small, too large, or larger with nothing in it, of every command',
      cmd_ex_fail: 'a longer struct is taken as long as what is not known is 0',
      global_options: 'RLIMIT_MODE is read and set; HUGE_PAGES wants an IOAS',
      simple_ioctls: 'legacy VFIO: version and extensions without a container',
      unmap_cmd: 'legacy VFIO: what an unmap is refused for',
      map_cmd: 'legacy VFIO: what a map is refused for',
      info_cmd: 'legacy VFIO: what information is refused for',
      set_iommu_cmd: 'legacy VFIO: no IOMMU is set without an IOAS',
      vfio_ioas: 'the IOAS that legacy calls mean is set, told and cleared',
    },
  },
  {
    name: 'change_process',
    variants: ['account_none', 'account_user', 'account_mm'],
    tests: { basic: 'mappings of files move to another process, with what they are charged for' },
  },
  {
    name: 'iommufd_ioas',
    variants: ['no_domain', 'mock_domain', 'two_mock_domain', 'mock_domain_limit'],
    tests: {
      ioas_auto_destroy: 'closing ends an IOAS and what is attached to it',
      ioas_destroy: 'an IOAS is destroyed unless a device is attached',
      alloc_hwpt_nested: 'nested HWPTs: refusals, faults, translation caches, replacement, the order of their end',
      hwpt_attach: 'a device attaches to an HWPT by its id',
      ioas_area_destroy: 'an IOAS with mappings is destroyed like one without',
      ioas_area_auto_destroy: 'closing unmaps many areas',
      get_hw_info: 'information fits buffers that are exact, longer, shorter or absent',
      area: 'mappings are unmapped whole, and overlap nothing',
      unmap_fully_contained_areas: 'a range takes the areas that lie wholly in it',
      area_auto_iova: 'addresses are chosen by alignment, outside what is reserved, inside what is allowed',
      reserved_overflow: 'a reserved range at the end of the address space, and a length that wraps',
      area_allowed: 'reserved and allowed ranges never meet',
      copy_area: 'a mapping is copied within an IOAS and to another',
      iova_ranges: 'ranges are told, as many as fit',
      access_domain_destory: 'pins outlive the domain that pinned first',
      access_pin: 'pins are shared with domains that come and go',
      access_pin_unmap: 'an unmap has accesses let go',
      access_rw: 'bytes are read and written through an IOAS, across pages',
      access_rw_unaligned: 'bytes are read and written through a mapping that begins inside a page',
      fork_gone: 'what a process mapped that is gone can be used only where it was pinned',
      fork_present: 'what another process mapped is pinned from it',
      ioas_option_huge_pages: 'large pages are switched off and on',
      ioas_iova_alloc: 'lengths are multiples of the smallest page, if there is a domain',
      ioas_align_change: 'alignment grows only while all that is mapped has it',
      copy_sweep: 'any part of a mapping is copied, and nothing beyond it',
      dmabuf_simple: 'a buffer is mapped by its descriptor, within its bounds',
      dmabuf_revoke: 'a buffer that was taken away cannot be mapped, nor reached',
    },
  },
  {
    name: 'iommufd_mock_domain',
    variants: [
      'one_domain',
      'two_domains',
      'one_domain_hugepage',
      'two_domains_hugepage',
      'one_domain_file',
      'one_domain_file_hugepage',
    ],
    tests: {
      basic: 'devices reach what is mapped; memory that is half there is refused',
      ro_unshare: 'a write after a read-only mapping does not move the page',
      all_aligns: 'every start and length, pinned once',
      all_aligns_copy: 'every start and length, with a domain that comes and goes',
      user_copy: 'what an access has pinned is copied into domains; the access moves to another IOAS',
      replace: 'a device is moved between IOASes and HWPTs',
      alloc_hwpt: 'HWPTs are allocated, rotated, kept while used',
    },
  },
  {
    name: 'iommufd_dirty_tracking',
    variants: ['8k', '16k', '64k', '128k', '320k', '64M', '64M_huge', '128M', '128M_huge'].map(
      (size) => `domain_dirty${size}`,
    ),
    tests: {
      enforce_dirty: 'a device that cannot track is not attached to what does',
      set_dirty_tracking: 'tracking is switched on and off',
      pasid_set_dirty_tracking: 'the same for a PASID, whatever its device can',
      device_dirty_capability: 'a device says that it can track',
      get_dirty_bitmap: 'dirty pages are told once, at any byte of the bitmap',
      get_dirty_bitmap_no_clear: 'dirty pages are told and stay dirty',
    },
  },
  {
    name: 'vfio_compat_mock_domain',
    variants: ['Ver1v2', 'Ver1v0'],
    tests: {
      simple_close: 'a legacy container closes',
      option_huge_pages: 'version 1 has no large pages, version 2 has',
      get_info: 'information with its chain of capabilities',
      map: 'legacy maps and unmaps, of all at once',
      huge_map: 'version 1 cuts a mapping, version 2 does not',
    },
  },
  {
    name: 'iommufd_viommu',
    variants: ['no_viommu', 'mock_viommu'],
    tests: {
      viommu_auto_destroy: 'closing ends a vIOMMU',
      viommu_negative_tests: 'a vIOMMU wants a nesting parent, a type and a device',
      viommu_alloc_nested_iopf: 'a fault through a vIOMMU is read and answered',
      viommu_alloc_with_data: 'a vIOMMU gives data back, and a page that user space maps',
      vdevice_alloc: 'one vdevice a device; events, and those that are lost',
      vdevice_cache: 'caches of devices are invalidated by their virtual numbers',
      hw_queue: 'hardware queues keep their memory mapped, and one another',
      vdevice_tombstone: 'the id of a vdevice whose device is gone names nothing, and is not given out',
    },
  },
  {
    name: 'iommufd_device_pasid',
    variants: ['no_pasid', 'has_pasid'],
    tests: { pasid_attach: 'PASIDs are attached, replaced and detached; a replacement that fails changes nothing' },
  },
  {
    name: 'basic_fail_nth',
    variants: [],
    tests: {
      basic: 'each allocation of making, mapping, copying and unmapping fails once',
      map_domain: 'the same while a domain is filled',
      map_file_domain: 'the same from a file',
      map_two_domains: 'the same with a second domain',
      access_rw: 'the same while an access reads and writes',
      access_pin: 'the same while it pins',
      access_pin_domain: 'the same while it pins what a domain has',
      device: 'the same through a device’s life: HWPTs, faults, vIOMMU, events, PASIDs',
    },
  },
];

/** @throws RangeError no fixture has that name. */
export function fixture(name: string): Fixture {
  const found = FIXTURES.find((each) => each.name === name);
  if (found === undefined) throw new RangeError(`fixture: name must be one of the selftest’s, got ${name}`);
  return found;
}

/** Configurations of a fixture by the names of its variants. */
export function variants<T>(name: string, configs: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return fixture(name).variants.map((variant) => {
    if (!(variant in configs)) throw new RangeError(`variants: ${name} has no configuration for ${variant}`);
    return [variant, configs[variant]];
  });
}
