import { IommuError } from '@faultline/core/errors';
import type { AtsSwitch, PriSwitch } from './device-tables.ts';

/** A device's ATS capability as the driver sees it. */
export function fakeAts(): AtsSwitch & { enabled: boolean } {
  return {
    enabled: false,
    invalidateDepth: 8,
    enable() {
      this.enabled = true;
    },
    disable() {
      this.enabled = false;
    },
    isEnabled() {
      return this.enabled;
    },
  };
}

/** A device's PRI capability as the driver sees it. It refuses to be enabled while `busy`. */
export function fakePri(): PriSwitch & { enabled: boolean; busy: boolean } {
  return {
    enabled: false,
    busy: false,
    enable(wanted) {
      if (this.busy) throw new IommuError('EBUSY', 'fakePri.enable', 'STOPPED', 0, 'requests are outstanding');
      this.enabled = true;
      return wanted;
    },
    disable() {
      this.enabled = false;
    },
  };
}
