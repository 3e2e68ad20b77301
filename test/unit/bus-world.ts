/** What the bus is tested in: a stepped clock, and failures that are collected instead of logged. */
import { EventBus, type EventBusOptions } from '../../src/bus/event-bus.ts';
import type { HandlerFailure } from '../../src/bus/failures.ts';
import { PubSub } from '../../src/bus/pub-sub.ts';
import type { Event } from '../../src/event/event.ts';
import { createEventFactory } from '../../src/event/factory.ts';
import { MemoryDeadLetters } from '../../src/storage/dead-letters/memory-dead-letters.ts';
import { SteppedPorts } from './sync-world.ts';

export function busWorld(options: EventBusOptions<{}> = {}) {
  const ports = new SteppedPorts();
  const failures: HandlerFailure[] = [];
  const deadLetters = new MemoryDeadLetters();
  const parts = {
    ports,
    deadLetters,
    onError: (failure: HandlerFailure) => void failures.push(failure),
  };
  const make = createEventFactory({ source: 'shop', ports });
  return {
    ports,
    failures,
    deadLetters,
    bus: new EventBus({ ...parts, ...options }),
    pubSub: new PubSub(parts),
    event: (type = 'order.placed', data: unknown = null): Event => make(type, data),
  };
}

/** A promise to be settled by hand. */
export function gate<T = void>() {
  let open!: (value: T) => void;
  let fail!: (error: unknown) => void;
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  return { promise, open, fail };
}
