/** The listeners of a log's commits. One that throws stops no other, and never the commit, which is already down. */
import type { Undo } from '../ports.ts';
import type { Position } from './position.ts';

export class CommitListeners {
  readonly #listeners = new Set<(head: Position) => void>();

  add(listener: (head: Position) => void): Undo {
    const own = (head: Position): void => listener(head);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  notify(head: Position): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(head);
      } catch (error) {
        // A listener's own defect. A rejection nobody handles would end a Node process, and the commit is down.
        console.error('a commit listener threw', error);
      }
    }
  }

  clear(): void {
    this.#listeners.clear();
  }
}
