import {
  AMD_EVT_BASE,
  AMD_EVT_HEAD,
  AMD_EVT_STARTS,
  AMD_EVT_TAIL,
  AMD_PPR_BASE,
  AMD_PPR_HEAD,
  AMD_PPR_STARTS,
  AMD_PPR_TAIL,
} from './layout.ts';
import {
  CONTROL_EVTINT_EN,
  CONTROL_EVTLOG_EN,
  CONTROL_PPRINT_EN,
  CONTROL_PPRLOG_EN,
  STATUS_EVT_INT,
  STATUS_EVT_OVERFLOW,
  STATUS_EVT_RUN,
  STATUS_PPR_INT,
  STATUS_PPR_OVERFLOW,
  STATUS_PPR_RUN,
} from './registers.ts';

/** Where a log's registers are, and which bits are its own: what tells the two logs apart. */
export interface LogSpec {
  readonly headAt: number;
  readonly tailAt: number;
  readonly startsAt: number;
  readonly baseAt: number;
  /** CONTROL bits. */
  readonly enable: number;
  readonly interruptEnable: number;
  /** STATUS bits. */
  readonly run: number;
  readonly overflow: number;
  readonly interrupt: number;
}

export function pprLogSpec(base: number): LogSpec {
  return {
    headAt: base + AMD_PPR_HEAD,
    tailAt: base + AMD_PPR_TAIL,
    startsAt: base + AMD_PPR_STARTS,
    baseAt: base + AMD_PPR_BASE,
    enable: CONTROL_PPRLOG_EN,
    interruptEnable: CONTROL_PPRINT_EN,
    run: STATUS_PPR_RUN,
    overflow: STATUS_PPR_OVERFLOW,
    interrupt: STATUS_PPR_INT,
  };
}

export function eventLogSpec(base: number): LogSpec {
  return {
    headAt: base + AMD_EVT_HEAD,
    tailAt: base + AMD_EVT_TAIL,
    startsAt: base + AMD_EVT_STARTS,
    baseAt: base + AMD_EVT_BASE,
    enable: CONTROL_EVTLOG_EN,
    interruptEnable: CONTROL_EVTINT_EN,
    run: STATUS_EVT_RUN,
    overflow: STATUS_EVT_OVERFLOW,
    interrupt: STATUS_EVT_INT,
  };
}
