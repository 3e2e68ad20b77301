/** The demo's page as a test uses it: clicks as a visitor makes them, and what the page shows for them. */
import type { Page } from 'playwright';
import type { MillraceDemo } from '../../demo/main.ts';

export type ShownWindows = ReturnType<MillraceDemo['deviceWindows']>;

export interface ShownCounts {
  readonly captured: number;
  readonly committed: number;
  readonly waiting: number;
  readonly acknowledged: number;
  readonly rejected: number;
}

export interface ShownConnection {
  readonly state: string;
  readonly label: string;
  /** Whether this tab is the one that sends. */
  readonly leader: boolean;
}

/** One event of the ribbon, newest first there. */
export interface ShownEvent {
  readonly id: string;
  readonly stage: 'captured' | 'committed' | 'acknowledged' | 'refused';
  /** 0 until it is committed. */
  readonly position: number;
}

const counted = ['captured', 'committed', 'waiting', 'acknowledged', 'rejected'] as const;

export class DemoPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Loads the page and waits until its log is open. */
  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await this.ready();
  }

  async reload(): Promise<void> {
    await this.page.reload();
    await this.ready();
  }

  /** Resolves once the log on the device is open. */
  async ready(): Promise<void> {
    await this.page.waitForFunction(() => {
      const state = window.millraceDemo?.client.status().state;
      return state !== undefined && state !== 'starting';
    });
  }

  /** Resolves once the page's files are kept, so that it loads without a network. */
  async kept(): Promise<void> {
    await this.page.locator('[data-testid="shell-state"][data-state="kept"]').waitFor();
  }

  async add(productId: string, times = 1): Promise<void> {
    for (let click = 0; click < times; click++) await this.page.getByTestId(`add-${productId}`).click();
  }

  async view(productId: string): Promise<void> {
    await this.page.getByTestId(`view-${productId}`).click();
    await this.page.getByTestId('product-close').click();
  }

  async placeOrder(): Promise<void> {
    await this.page.getByTestId('place-order').click();
  }

  /** A hundred events of a crowd, in one task. */
  async burst(): Promise<void> {
    await this.page.getByTestId('burst').click();
  }

  /** One event that happened minutes ago. */
  async lateClick(): Promise<void> {
    await this.page.getByTestId('late-click').click();
  }

  async setOffline(offline: boolean): Promise<void> {
    const button = this.page.getByTestId('offline-switch');
    if ((await button.getAttribute('aria-checked')) !== String(offline)) await button.click();
    const wanted = `[data-testid="offline-switch"][aria-checked="${offline}"]`;
    await this.page.locator(wanted).waitFor();
  }

  async connection(): Promise<ShownConnection> {
    return this.page.getByTestId('status-connection').evaluate((shown: HTMLElement) => ({
      state: shown.dataset['state'] ?? '',
      label: shown.innerText.trim(),
      leader: shown.dataset['leader'] === 'true',
    }));
  }

  /** What the page shows, at one moment. */
  async counts(): Promise<ShownCounts> {
    const shown = await this.page.evaluate(
      (names) =>
        names.map((name) => {
          const cell = document.querySelector<HTMLElement>(`[data-testid="count-${name}"]`);
          return [name, Number(cell?.dataset['value'])] as const;
        }),
      counted,
    );
    return Object.fromEntries(shown) as unknown as ShownCounts;
  }

  async ribbon(): Promise<ShownEvent[]> {
    return this.page.getByTestId('ribbon').evaluate((list) =>
      Array.from(list.children, (item) => {
        const { eventId = '', stage, position = '0' } = (item as HTMLElement).dataset;
        return { id: eventId, stage: stage as ShownEvent['stage'], position: Number(position) };
      }),
    );
  }

  /** What the chart of this device shows, by start, then by type. */
  async deviceWindows(): Promise<ShownWindows> {
    return this.page.evaluate(() => window.millraceDemo.deviceWindows());
  }

  /** What the chart of the edge shows. */
  async edgeWindows(): Promise<ShownWindows> {
    return this.page.evaluate(() => window.millraceDemo.edgeWindows());
  }

  /** Polls `check` until it holds; the error names what was last seen. */
  async until<T>(read: () => Promise<T>, check: (value: T) => boolean, limitMs = 20_000): Promise<T> {
    const end = performance.now() + limitMs;
    for (;;) {
      const value = await read();
      if (check(value)) return value;
      if (performance.now() > end)
        throw new Error(`not within ${limitMs} ms; last seen: ${JSON.stringify(value)}`);
      await this.page.waitForTimeout(50);
    }
  }
}
