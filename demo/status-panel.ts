/** The counts and the connection, wherever the page shows them. */
import type { ClientStatus } from 'millrace/browser';
import { describeConnection } from './connection.ts';
import { find, write } from './element.ts';

export interface StatusPanel {
  update(status: ClientStatus): void;
}

const counts = ['captured', 'committed', 'waiting', 'acknowledged', 'rejected'] as const;

export function createStatusPanel(mill: HTMLElement, dock: HTMLElement): StatusPanel {
  const connection = find(mill, '[data-part="connection"]', HTMLElement);
  const label = find(mill, '[data-part="connection-label"]', HTMLElement);
  const leader = find(mill, '[data-part="leader"]', HTMLElement);
  const cells = counts.map((name) => [name, find(mill, `[data-count="${name}"]`, HTMLElement)] as const);

  return {
    update(status) {
      const described = describeConnection(status, navigator.onLine);
      connection.dataset['state'] = dock.dataset['state'] = described.state;
      connection.dataset['leader'] = String(status.leader);
      write(label, described.label);
      connection.title = status.lastError?.message ?? '';
      write(leader, status.leader ? 'This tab sends for all tabs' : 'Another tab sends for this one');
      for (const [name, cell] of cells) {
        write(cell, status[name].toLocaleString('en'));
        cell.dataset['value'] = String(status[name]);
        cell.parentElement?.toggleAttribute('data-some', status[name] > 0);
      }
      write(find(dock, '[data-dock="label"]', HTMLElement), described.label);
      write(find(dock, '[data-dock="waiting"]', HTMLElement), status.waiting.toLocaleString('en'));
    },
  };
}
