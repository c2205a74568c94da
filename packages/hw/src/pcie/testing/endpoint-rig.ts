// A function, its ports and their endpoints, laid out over words of their own, on one thread.
import { Doorbell, doorbellWords, initDoorbell, LINE, type Words } from '@faultline/core/sync';
import { AtsCapability } from '../ats-capability.ts';
import { Endpoint, type EndpointConfig } from '../endpoint.ts';
import { type EndpointStat, endpointStatWords, initEndpointStats, readEndpointStats } from '../endpoint-stats.ts';
import { type FunctionConfig, functionWords, initFunction } from '../function.layout.ts';
import { PriCapability } from '../pri-capability.ts';
import { initPriPort, priPortWords } from '../pri-port.layout.ts';
import { ScriptedHost } from './scripted-host.ts';

export interface EndpointRigConfig
  extends Partial<Omit<EndpointConfig, 'portAt' | 'functionAt' | 'statsAt' | 'clock'>> {
  /** Default 64. */
  readonly credits?: number;
  /** Credits of the port, if not the same. */
  readonly portCredits?: number;
  /** Endpoints, which divide the PRG indices among them. Default 1. */
  readonly queues?: number;
  readonly rid?: number;
  readonly function?: Partial<FunctionConfig>;
  /** Default: ATS and PRI are on. */
  readonly off?: boolean;
}

export class EndpointRig {
  readonly words: Words;
  readonly functionAt: number;
  readonly announceAt: number;
  readonly ports: number[];
  readonly stats: number[];
  readonly endpoints: Endpoint[];
  readonly hardwareBell: Doorbell;
  readonly wakeBell: Doorbell;
  readonly ats: AtsCapability;
  readonly pri: PriCapability;
  readonly host: ScriptedHost;
  tick = 1000;

  constructor(config: EndpointRigConfig = {}) {
    const { credits = 64, queues = 1, rid = 0x0108 } = config;
    const portCredits = config.portCredits ?? credits;
    let end = LINE;
    const take = (size: number): number => {
      end += size;
      return end - size;
    };
    const doorbellAt = take(doorbellWords());
    const wakeAt = take(doorbellWords());
    this.announceAt = take(LINE);
    this.functionAt = take(functionWords());
    this.ports = Array.from({ length: queues }, () => take(priPortWords(portCredits)));
    this.stats = Array.from({ length: queues }, () => take(endpointStatWords()));
    const words = new Int32Array(new SharedArrayBuffer(end * 4));
    this.words = words;
    for (const at of [doorbellAt, wakeAt]) initDoorbell(words, at);
    initFunction(words, this.functionAt, { capacity: credits, queues, ...config.function });
    const groupCount = Math.floor(512 / queues);
    this.ports.forEach((at, port) => {
      initPriPort(words, at, {
        port,
        rid,
        credits: portCredits,
        groupFirst: port * groupCount,
        groupCount,
        wakeAt,
        announceBase: this.announceAt,
        doorbellBase: doorbellAt,
      });
    });
    for (const at of this.stats) initEndpointStats(words, at);
    this.hardwareBell = new Doorbell(words, doorbellAt);
    this.wakeBell = new Doorbell(words, wakeAt);
    this.ats = new AtsCapability(words, this.functionAt);
    this.pri = new PriCapability(words, this.functionAt, [this.wakeBell]);
    this.host = new ScriptedHost(words, this.announceAt, this.ports);
    if (!config.off) {
      this.ats.enable(12);
      this.pri.enable(credits);
    }
    this.endpoints = this.ports.map((portAt, place) => {
      const { functionAt } = this;
      const { groupPages = 1, interleave = 1, atcEntries = 64, misbehave = {} } = config;
      return new Endpoint(words, {
        groupPages,
        interleave,
        atcEntries,
        misbehave,
        portAt,
        functionAt,
        statsAt: this.stats[place],
        place,
        clock: () => this.tick,
      });
    });
  }

  get endpoint(): Endpoint {
    return this.endpoints[0];
  }

  stat(name: EndpointStat, place = 0): number {
    return readEndpointStats(this.words, this.stats[place])[name];
  }
}
