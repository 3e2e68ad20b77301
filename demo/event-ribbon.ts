/** The last events of this page, each with how far it has come: captured, committed on this device, at the edge. */
import type { ClientStatus } from 'millrace/browser';
import { eventColour, eventLabel } from './event-palette.ts';
import { formatTime } from './minute.ts';

export type Stage = 'captured' | 'committed' | 'acknowledged' | 'refused';

export interface RibbonEvent {
  readonly id: string;
  readonly type: string;
  readonly timestamp: number;
}

export interface EventRibbon {
  /** Shows a new event at the head of the ribbon; `committed` resolves to its position. */
  add(event: RibbonEvent, committed: PromiseLike<{ readonly position: number }>): void;
  /** Shows an event of before at the tail, if it is not there. */
  recall(event: RibbonEvent & { readonly position: number }): void;
  update(status: ClientStatus): void;
  /** Marks dead letters, by their position in the log. */
  refuse(positions: readonly number[]): void;
}

/** As many as are kept on the page; the log keeps them all. */
const SHOWN = 30;

const stageWords: Readonly<Record<Stage, string>> = {
  captured: 'captured',
  committed: 'on this device',
  acknowledged: 'at the edge',
  refused: 'refused',
};

export function createEventRibbon(list: HTMLElement): EventRibbon {
  let settled = 0;

  return {
    add(event, committed) {
      const item = createItem(event);
      list.prepend(item);
      while (list.childElementCount > SHOWN) list.lastElementChild?.remove();
      committed.then(
        ({ position }) => commit(item, position),
        () => setStage(item, 'refused'),
      );
    },
    recall(event) {
      const known = [...list.children].some(
        (item) => item instanceof HTMLElement && item.dataset['eventId'] === event.id,
      );
      if (known || list.childElementCount >= SHOWN) return;
      const item = createItem(event);
      list.append(item);
      commit(item, event.position);
    },
    update(status) {
      // The log is sent in its order, so all up to here have left it: to the edge, or as dead letters.
      settled = status.committed - status.waiting;
      for (const item of list.children) if (item instanceof HTMLElement) settle(item);
    },
    refuse(positions) {
      for (const position of positions) {
        const item = list.querySelector<HTMLElement>(`[data-position="${position}"]`);
        if (item !== null) setStage(item, 'refused');
      }
    },
  };

  function commit(item: HTMLElement, position: number): void {
    item.dataset['position'] = String(position);
    setStage(item, 'committed');
    settle(item);
  }

  function settle(item: HTMLElement): void {
    if (item.dataset['stage'] === 'committed' && Number(item.dataset['position']) <= settled) {
      setStage(item, 'acknowledged');
    }
  }
}

function createItem(event: RibbonEvent): HTMLElement {
  const item = document.createElement('li');
  item.dataset['eventId'] = event.id;
  item.style.setProperty('--type', eventColour(event.type));
  item.title = event.id;
  const type = document.createElement('span');
  type.className = 'chip-type';
  type.textContent = eventLabel(event.type);
  const time = document.createElement('time');
  time.textContent = formatTime(event.timestamp);
  const stage = document.createElement('span');
  stage.className = 'chip-stage';
  item.append(type, time, stage);
  setStage(item, 'captured');
  return item;
}

function setStage(item: HTMLElement, stage: Stage): void {
  item.dataset['stage'] = stage;
  const words = item.querySelector('.chip-stage');
  if (words !== null) words.textContent = stageWords[stage];
}
