import type { ModelConfig } from './config.ts';
import { costOf } from './costs/schema.ts';
import { Engine } from './engine/engine.ts';
import { Random } from './engine/random.ts';
import { Processors } from './machine/processors.ts';
import { FaultPath } from './path/fault-path.ts';
import { HandlerThread } from './path/handler-thread.ts';
import { EventQueue, InterruptThread } from './path/interrupt-threads.ts';
import type { Packet } from './path/packet.ts';
import { WorkQueue } from './path/work-queue.ts';
import { Stats } from './stats.ts';
import { FabricAccelerator } from './workload/accelerator.ts';
import { DeviceThread } from './workload/device-thread.ts';
import type { Devices, Hardware } from './workload/hardware.ts';
import { FabricHardware } from './workload/hardware-fabric.ts';
import { HardwareThread } from './workload/hardware-thread.ts';
import { Jobs } from './workload/jobs.ts';
import { Load } from './workload/load.ts';
import { Memory } from './workload/memory.ts';
import { Pages } from './workload/pages.ts';
import type { ProcessThread } from './workload/process-thread.ts';
import { Scanner } from './workload/scanner.ts';
import { UserThread } from './workload/user-thread.ts';
import { type FaultWatch, WatchedJobs } from './workload/watched-jobs.ts';

/** All parts of a simulation, wired. */
export class World {
  readonly config: ModelConfig;
  readonly engine: Engine = new Engine();
  readonly stats: Stats = new Stats();
  readonly processors: Processors;
  readonly path: FaultPath;
  readonly work: WorkQueue;
  readonly hardware: Hardware;
  readonly memory: Memory;
  readonly jobs: Jobs;
  readonly load: Load;
  readonly interruptThreads: number;
  readonly #threads: readonly ProcessThread[];
  readonly #random: Random;
  onAnswered: () => void = () => {};

  /** @param config with suspects taken out. @param watch told of every fault. @param Plain what stands for jobs that nobody watches. */
  constructor(config: ModelConfig, seed: number, watch?: FaultWatch, Plain: typeof Jobs = Jobs) {
    this.config = config;
    const { engine, stats } = this;
    const random = new Random(seed);
    this.#random = random;
    const { costs, adaptive, generation, threads } = config;
    const isAdaptive = generation === 'adaptive';
    this.interruptThreads = isAdaptive ? adaptive.interruptPumps : config.interruptThreads;
    const processors = new Processors(engine, {
      processors: config.processors,
      sliceNs: config.sliceUs * 1000,
      wakeAheadNs: config.wakeAheadUs * 1000,
      wakeLatencyNs: costOf(costs, 'thread.wake-latency'),
      switchNs: costOf(costs, 'thread.switch'),
    });
    this.processors = processors;
    const pages = new Pages(
      threads * config.windows * config.pagesPerJob,
      isAdaptive ? adaptive.pinUntilUsedRounds : 0,
      config.buffers === 'keep',
    );
    this.jobs =
      watch === undefined
        ? new Plain(config, stats, pages, random)
        : new WatchedJobs(config, stats, pages, random, watch);
    this.path = new FaultPath(engine, processors, config);
    this.work = new WorkQueue(engine, processors, config);
    this.load = new Load(engine, processors, config);
    const queue = new EventQueue(engine, processors, config);
    const devices: Devices = { resume: (packet) => this.#resume(packet) };
    const hardware = config.hardwareOnProcessor
      ? new HardwareThread(processors, config, queue, devices)
      : new FabricHardware(engine, config, queue, devices);
    this.hardware = hardware;
    queue.hardware = hardware;
    queue.threads = Array.from(
      { length: this.interruptThreads },
      () => new InterruptThread(config, queue, this.path, this.work),
    );
    this.memory = new Memory(engine, processors, config, { pages, jobs: this.jobs, stats, random });
    const scanner = new Scanner(engine, processors, config, { pages, memory: this.memory, hardware, stats });
    for (let handler = 0; handler < config.handlers; handler++)
      this.work.add(new HandlerThread(config, handler, this.work, this.path, this.memory, hardware));
    const parts = { config, jobs: this.jobs, memory: this.memory, hardware, scanner, load: this.load };
    if (config.deviceOnProcessor) {
      this.#threads = Array.from({ length: threads }, (_, index) => new DeviceThread(index, parts));
      this.#goOn = (index) => void processors.wake(this.#threads[index]);
    } else {
      const accelerator = new FabricAccelerator(engine, processors, config, this.jobs);
      accelerator.hardware = hardware;
      const users = Array.from({ length: threads }, (_, index) => new UserThread(index, parts, accelerator));
      accelerator.threads = users;
      this.#threads = users;
      this.#goOn = (index) => accelerator.goOn(index);
    }
    scanner.threads = this.#threads;
  }

  readonly #goOn: (index: number) => void;

  #resume(packet: Packet): void {
    const { thread } = packet;
    const isRound = this.jobs.resume(packet, this.engine.now);
    this.onAnswered();
    if (isRound) this.#goOn(thread);
  }

  /** Lets the threads go, spread over the processors, in the course of a slice. */
  start(): void {
    const sliceNs = this.config.sliceUs * 1000;
    const id = this.engine.register({ fire: (index) => void this.processors.wake(this.#threads[index]) });
    this.#threads.forEach((thread, index) => {
      thread.cpu = index % this.config.processors;
      this.engine.schedule(this.#random.fraction() * sliceNs, id, index);
    });
  }
}
