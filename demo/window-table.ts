/** Both charts in figures: a row a minute and type, newest first. */
import { countByLabel } from './stack.ts';
import { formatTime } from './minute.ts';
import type { CountWindow } from './window-board.ts';

export function showWindowTable(
  root: HTMLElement,
  device: readonly CountWindow[],
  edge: readonly CountWindow[],
): void {
  const minutes = [...new Set([...device, ...edge].map((result) => result.window.start))].toSorted(
    (a, b) => b - a,
  );
  const table = document.createElement('table');
  table.createTHead().append(createRow('th', ['Minute', 'Type', 'This device', 'The edge']));
  const body = table.createTBody();
  for (const minute of minutes) {
    const [here, there] = [device, edge].map((results) =>
      countByLabel(results.filter((result) => result.window.start === minute)),
    ) as [Map<string, number>, Map<string, number>];
    for (const label of new Set([...here.keys(), ...there.keys()])) {
      const counts = [here, there].map((of) => String(of.get(label) ?? 0));
      body.append(createRow('td', [formatTime(minute), label, ...counts]));
    }
  }
  root.replaceChildren(table);
}

function createRow(kind: 'th' | 'td', texts: readonly string[]): HTMLTableRowElement {
  const row = document.createElement('tr');
  for (const text of texts) {
    const cell = document.createElement(kind);
    if (kind === 'th') cell.setAttribute('scope', 'col');
    cell.textContent = text;
    row.append(cell);
  }
  return row;
}
