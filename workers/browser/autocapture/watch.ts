/** What all kinds watch through: nothing that they throw reaches the page, and one stop ends them all. */
import type { Undo } from '../../../src/ports.ts';
import type { AutocapturedData, AutocapturedType } from './events.ts';

export class Watch {
  readonly #capture: (type: AutocapturedType, data: AutocapturedData[AutocapturedType]) => void;
  readonly #stopping = new AbortController();
  readonly #undos: Undo[] = [];

  constructor(capture: (type: AutocapturedType, data: AutocapturedData[AutocapturedType]) => void) {
    this.#capture = capture;
  }

  capture<Type extends AutocapturedType>(type: Type, data: AutocapturedData[Type]): void {
    if (!this.#stopping.signal.aborted) this.#capture(type, data);
  }

  /** Before the page's own listeners, so that none of them keeps an event from being seen. */
  on(target: EventTarget, type: string, listener: (event: Event) => void): void {
    target.addEventListener(type, (event) => this.run(() => listener(event)), {
      capture: true,
      passive: true,
      signal: this.#stopping.signal,
    });
  }

  /** Is undone with the rest. */
  defer(undo: Undo): void {
    this.#undos.push(undo);
  }

  run(task: () => void): void {
    try {
      task();
    } catch {
      // The page is strange to us: a proxy in place of an element, a getter that throws. What is not understood is not seen.
    }
  }

  stop(): void {
    this.#stopping.abort();
    for (const undo of this.#undos.splice(0)) this.run(undo);
  }
}
