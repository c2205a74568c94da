import { IommuError } from '@faultline/core/errors';
import { describe, expect, test } from 'vitest';
import { CAPABILITY_FIELDS, describeInvalidation, initVtd, probeVtd, type VtdDomain, vtdWords } from './index.ts';
import { VTD_CAP, VTD_IQA, VTD_IQH } from './layout.ts';
import { contextOf, entryOf } from './testing/driver-state.ts';
import { hex } from './testing/records.ts';
import { DEVICE, PASID, RID, VtdRig, type VtdRigConfig } from './testing/vtd-rig.ts';

const CONFIG = { requestOrder: 0, invalidationOrder: 0, rids: 4, ports: 1, threads: 1 };

describe('CAP and ECAP', () => {
  test('by hand, from Linux’s positions', () => {
    const words = new Int32Array(new SharedArrayBuffer(4 * (vtdWords(CONFIG) + 1024)));
    initVtd(words, 32, CONFIG);
    // CAP: FL5LP, FL1GP, DRD, DWD, MAMV 18, NFR 7, PSI, SLLPS 3 | MGAW 47, SAGAW 4, ND 6
    // ECAP: FLTS, SLTS, SLADS, SMTS, PDS, DIT, PASID, PSS 12, EAFS | SRS, ERS, PRS, NEST, PT, DT, QI
    expect(hex(words.slice(32 + VTD_CAP, 32 + VTD_CAP + 4))).toEqual(['11d2078c002f0406', '0000ef64e4000046']);
    expect(probeVtd(words, 32)).toEqual({
      ...{ queuedInvalidation: true, scalable: true, deviceTlb: true, pageRequests: true, pageRequestDrain: true },
      ...{ firstLevel: true, secondLevel: true, nested: true, passThrough: true, execute: true, supervisor: true },
      ...{
        extendedAccessed: true,
        secondLevelDirty: true,
        pasidBits: 13,
        addressBits: 57,
        domainBits: 16,
        faultRecords: 8,
        maxInvalidationLg2: 18,
      },
    });
    initVtd(words, 32, {
      ...CONFIG,
      faultRecords: 16,
      capabilities: { pasid: 0, psi: 0, fl5lp: 0, nd: 2 },
    });
    expect(probeVtd(words, 32)).toMatchObject({
      ...{ pasidBits: 0, maxInvalidationLg2: -1, addressBits: 48, domainBits: 8, faultRecords: 16 },
    });
  });

  test('fields do not overlap; unknown ones and values that do not fit are refused by name', () => {
    const sorted = [...CAPABILITY_FIELDS].sort((a, b) => a.lo - b.lo);
    for (let i = 1; i < sorted.length; i++) expect(sorted[i].lo, sorted[i].name).toBeGreaterThan(sorted[i - 1].hi);
    const words = new Int32Array(new SharedArrayBuffer(4 * (vtdWords(CONFIG) + 1024)));
    expect(() => initVtd(words, 32, { ...CONFIG, capabilities: { dma: 1 } })).toThrow('dma = 1');
    expect(() => initVtd(words, 32, { ...CONFIG, capabilities: { nd: 8 } })).toThrow('nd = 8');
    expect(() => probeVtd(words, 0)).toThrow('no VT-d unit was laid out here');
  });

  test.each([
    ['ECAP.QI', { capabilities: { qi: 0 } }],
    ['ECAP.SMTS', { wideDescriptors: false }],
    ['ECAP.DT', { capabilities: { dt: 0 } }],
    ['ECAP.PRS', { capabilities: { prs: 0 } }],
  ])('a unit without %s is refused', (field, config) => {
    const rig = new VtdRig(config);
    expect(() => rig.driver.probe()).toThrow(`probeVtd: ${field} = 0`);
    expect(() => rig.driver.probe()).toThrow(IommuError);
    expect(new VtdRig().driver.probe().scalable).toBe(true);
  });
});

describe('attaching what the unit does not offer changes nothing', () => {
  test.each<[string, NonNullable<VtdRigConfig['capabilities']>, VtdDomain]>([
    ['kind = "identity"', { pt: 0 }, { kind: 'identity', did: 1 }],
    ['kind = "first-level"', { flts: 0 }, { kind: 'first-level', did: 1 }],
    ['kind = "second-level"', { slts: 0 }, { kind: 'second-level', did: 1 }],
    ['kind = "nested"', { nest: 0 }, { kind: 'nested', did: 1 }],
    ['kind = "nested"', { slts: 0 }, { kind: 'nested', did: 1 }],
    ['faults = true', { prs: 0 }, { kind: 'first-level', did: 1, faults: true }],
    ['execute = true', { ers: 0 }, { kind: 'first-level', did: 1, execute: true }],
    ['supervisor = true', { srs: 0 }, { kind: 'first-level', did: 1, supervisor: true }],
  ])('%s', async (field, capabilities, domain) => {
    const rig = new VtdRig({ capabilities });
    await rig.during(rig.driver.enable());
    await rig.during(rig.driver.attachDevice(RID, DEVICE));
    await expect(rig.during(rig.driver.attach(RID, PASID, domain))).rejects.toThrow(
      `attach: ${field}: the unit does not offer it (EOPNOTSUPP)`,
    );
    expect([contextOf(rig).pre, entryOf(rig, PASID).p]).toEqual([0, 0]);
    const other: VtdDomain = { kind: capabilities.flts === 0 ? 'second-level' : 'first-level', did: 2 };
    await rig.during(rig.driver.attach(RID, PASID, other));
    await expect(rig.during(rig.driver.replace(RID, PASID, domain))).rejects.toThrow(`replace: ${field}`);
    expect(entryOf(rig, PASID).did).toBe(2);
  });

  test.each([
    [{ mamv: 4 }, 16, 3],
    [{ mamv: 4 }, 17, 2],
    [{ psi: 0 }, 1, 2],
  ])('an invalidation of a range with %o, %i pages: granularity %i', async (capabilities, pages, g) => {
    const rig = await new VtdRig({ capabilities }).up();
    const at = (rig.register(VTD_IQA) & ~0xfff) / 4 + rig.register(VTD_IQH) / 4;
    rig.ops[0].invalidateRange(1, PASID, 0x1000, 0, pages);
    await rig.during(rig.ops[0].syncAsync());
    expect(describeInvalidation(rig.words, at).fields).toMatchObject({ type: 6, g });
  });
});
