/** The panel beside the shop: what the kernel does with the clicks. */
import type { Client, ClientStatus } from 'millrace/browser';
import { createChartPanel, type ChartPanel } from './chart-panel.ts';
import { sendCrowd, sendLateClick } from './crowd.ts';
import { describeConnection } from './connection.ts';
import { watchDeviceWindows } from './device-windows.ts';
import { watchEdgeWindows } from './edge-windows.ts';
import { find, write } from './element.ts';
import { createEventRibbon, type EventRibbon } from './event-ribbon.ts';
import { isShopType, swatches } from './event-palette.ts';
import { formatTime, MINUTE_MS } from './minute.ts';
import { openOfflineSwitch } from './offline-switch.ts';
import { createRace } from './race.ts';
import type { Recorder } from './recorder.ts';
import type { ShopSchemas } from './shop.ts';
import { createStatusPanel } from './status-panel.ts';
import type { CountWindow, Revision } from './window-board.ts';
import { showWindowTable } from './window-table.ts';

export interface MillOptions {
  readonly client: Client<ShopSchemas>;
  readonly recorder: Recorder;
  readonly endpoint: string;
  /** Reads what the edge has. */
  readonly readKey?: string | undefined;
}

export interface Mill {
  /** What the chart of this device shows now. */
  deviceWindows(): CountWindow[];
  /** What the chart of the edge shows now. */
  edgeWindows(): CountWindow[];
}

const LATE_MS = 7 * MINUTE_MS;
const TICK_MS = 5_000;

export function openMill({ client, recorder, endpoint, readKey }: MillOptions): Mill {
  const root = find(document, '#mill', HTMLElement);
  showStatus(root, client, recorder);
  openControls(root, client, recorder);
  const { device, edge } = openCharts(root, client, { endpoint, readKey });
  return { deviceWindows: () => device.shown(), edgeWindows: () => edge.shown() };
}

function showStatus(root: HTMLElement, client: Client<ShopSchemas>, recorder: Recorder): void {
  const panel = createStatusPanel(root, find(document, '[data-part="dock"]', HTMLElement));
  const race = createRace(find(root, '[data-part="race"]', SVGElement));
  const ribbon = createEventRibbon(find(root, '[data-part="ribbon"]', HTMLElement));
  void recallEvents(client, ribbon);

  recorder.onRecorded((recorded) => {
    race.tint(recorded.type);
    ribbon.add(recorded, recorded.receipt);
  });
  let rejected = 0;
  const update = (status: ClientStatus): void => {
    panel.update(status);
    if (status.rejected !== rejected) void showDeadLetters(client, ribbon);
    ({ rejected } = status);
    race.update(status, describeConnection(status, navigator.onLine).state);
    ribbon.update(status);
  };
  update(client.status());
  client.onStatus(update);
}

/** The ribbon begins with what this device already holds, from before a reload. */
async function recallEvents(client: Client<ShopSchemas>, ribbon: EventRibbon): Promise<void> {
  try {
    const page = await client.query({ direction: 'backward', limit: 12 });
    for (const { event, position } of page.events) {
      const { id, type, timestamp } = event;
      ribbon.recall({ id, type, timestamp, position });
    }
  } catch {
    // The ribbon then begins with the next click; the status says what is wrong with the log.
  }
}

async function showDeadLetters(client: Client<ShopSchemas>, ribbon: EventRibbon): Promise<void> {
  const letters = await client.deadLetters().catch(() => []);
  ribbon.refuse(letters.map((letter) => letter.position));
}

function openControls(root: HTMLElement, client: Client<ShopSchemas>, recorder: Recorder): void {
  const control = (name: string): HTMLElement => find(root, `[data-testid="${name}"]`, HTMLElement);
  openOfflineSwitch(control('offline-switch'), client);
  control('burst').addEventListener('click', () => sendCrowd(recorder, 100));
  control('late-click').addEventListener('click', () => sendLateClick(recorder, LATE_MS));
}

function openCharts(
  root: HTMLElement,
  client: Client<ShopSchemas>,
  { endpoint, readKey }: Pick<MillOptions, 'endpoint' | 'readKey'>,
): Record<'device' | 'edge', ChartPanel> {
  const legend = find(root, '[data-part="legend"]', HTMLElement);
  showLegend(legend);
  const note = find(root, '[data-part="revised"]', HTMLElement);
  const table = find(root, '[data-part="table"]', HTMLElement);
  const details = find(root, '.figures', HTMLDetailsElement);

  const onRevised = (revisions: readonly Revision[], panel: ChartPanel): void => {
    const [first, ...rest] = revisions.toSorted((a, b) => b.start - a.start);
    if (first === undefined) return;
    const others = rest.length === 0 ? '' : `, and ${rest.length} more`;
    write(
      note,
      `Late: the minute ${formatTime(first.start)} of ${panel.name} revised by +${first.by}${others}`,
    );
  };
  const onShown = (): void => {
    const foreign = [...device.shown(), ...edge.shown()].some((result) => !isShopType(result.key));
    find(legend, '[data-type="other"]', HTMLElement).hidden = !foreign;
    if (details.open) showWindowTable(table, device.shown(), edge.shown());
  };
  const open = (name: string, words: string): ChartPanel =>
    createChartPanel(find(root, `[data-chart="${name}"]`, HTMLElement), {
      name: words,
      onRevised,
      onShown,
    });
  const device = open('device', 'this device');
  const edge = open('edge', 'the edge');

  details.addEventListener('toggle', onShown);
  watchDeviceWindows(client, (results, how) => device.take(results, how));
  const edgeFigure = find(root, '[data-chart="edge"]', HTMLElement);
  watchEdgeWindows({
    endpoint,
    readKey,
    onWindows: (results) => edge.take(results, 'replace'),
    onReach: (reached) => edgeFigure.toggleAttribute('data-unreached', !reached),
  });
  setInterval(() => [device, edge].forEach((panel) => panel.tick()), TICK_MS);
  return { device, edge };
}

function showLegend(list: HTMLElement): void {
  for (const { label, type, colour } of swatches) {
    const item = document.createElement('li');
    item.dataset['type'] = type;
    item.style.setProperty('--type', colour);
    item.textContent = label;
    list.append(item);
  }
}
