/** Autocapture on a page of its own, with a visitor's real clicks, keys and navigations. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AutocaptureOptions } from '../../workers/browser/autocapture/autocapture.ts';
import { launchBrowser, type KillableBrowser } from './browser.ts';
import type { AutocapturePage, Captured } from './pages/autocapture.ts';
import { openSite, type Site } from './site.ts';

declare const shown: AutocapturePage;
declare let stop: () => void;

const SECRET = 'tiger-4711';
const body = `
  <main id="shop">
    <ul><li>tea</li><li><button data-capture="add-tea"><svg id="icon" width="20" height="20"></svg> Add   tea </button></li></ul>
    <a id="r-1f9c8e7a" href="/cart?user=${SECRET}#x">Your cart</a>
    <a id="mail" href="mailto:${SECRET}@example.com">Write to us</a>
    <div id="generic" style="height:20px">Balance of ${SECRET}</div>
    <div contenteditable id="note">${SECRET}</div>
    <label><textarea id="words">${SECRET}</textarea> Your words</label>
    <section data-millrace-ignore><button id="hidden">Reveal ${SECRET}</button>
      <form id="private"><button id="send-private">Send</button></form></section>
    <form id="order" name="order" action="/orders?token=${SECRET}" method="post" onsubmit="event.preventDefault()">
      <input name="id" id="field" value="${SECRET}"><input name="action" type="hidden" value="${SECRET}">
      <input type="password" name="method" id="password"><select name="length"><option>${SECRET}</option></select>
      <button id="pay">Pay</button>
    </form>
    <p id="host"></p>
  </main>`;

let folder: string;
let site: Site;
let browser: KillableBrowser;
let page: Page;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-autocapture-'));
  site = await openSite('autocapture', { folder: join(folder, 'site'), body });
  browser = await launchBrowser(join(folder, 'profile'));
});

afterAll(async () => {
  await browser.kill();
  await site[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

beforeEach(async () => {
  page = await browser.newPage();
});

afterEach(async () => {
  await page.close();
});

async function start(options: AutocaptureOptions, path = '/', throws = false): Promise<void> {
  await page.goto(site.url + path);
  await page.waitForFunction('globalThis.shown !== undefined');
  await page.evaluate(
    ([options, throws]) => {
      stop = shown.start(options, throws);
    },
    [options, throws] as const,
  );
}

const captured = (): Promise<Captured[]> => page.evaluate(() => shown.captured);

async function data(): Promise<Captured['data'][]> {
  return (await captured()).map((event) => event.data);
}

/** Once there are so many. */
async function dataOf(count: number): Promise<Captured['data'][]> {
  await page.waitForFunction((count) => shown.captured.length >= count, count);
  return data();
}

describe('page views', () => {
  it('are the load, each page of a single-page application, and the way back, each once and without the query', async () => {
    await start({ pageViews: true }, `/tea?user=${SECRET}#top`);
    await page.evaluate(() => {
      history.pushState({}, '', '/tea/green?page=1');
      document.title = 'Green';
    });
    await dataOf(2);
    await page.evaluate(() => history.replaceState({ same: true }, '', '/tea/green?page=1#reviews'));
    await page.evaluate(() => history.pushState({}, '', '/cart'));
    await dataOf(3);
    await page.evaluate(() => history.go(-1));
    expect(await dataOf(4)).toEqual([
      { path: '/tea', title: 'Shop', kind: 'load' },
      { path: '/tea/green', title: 'Green', kind: 'navigation', referrer: '/tea' },
      { path: '/cart', title: 'Green', kind: 'navigation', referrer: '/tea/green' },
      { path: '/tea/green', title: 'Green', kind: 'navigation', referrer: '/cart' },
    ]);
    expect((await captured()).every(({ type }) => type === 'page.viewed')).toBe(true);
  });

  it('are seen without the Navigation API too, and the history is left as it was', async () => {
    await page.addInitScript(() => Reflect.deleteProperty(window, 'navigation'));
    await start({ pageViews: { query: true } }, '/tea?page=1');
    expect(await page.evaluate(() => shown.historyIsOwn())).toBe(false);
    await page.evaluate(() => history.pushState({}, '', '/cart?page=2'));
    await dataOf(2);
    await page.evaluate(() => history.back());
    const paths = (await dataOf(3)).map(({ path }) => path);
    expect(paths).toEqual(['/tea?page=1', '/cart?page=2', '/tea?page=1']);
    await page.evaluate(() => stop());
    expect(await page.evaluate(() => shown.historyIsOwn())).toBe(true);
    await page.evaluate(() => history.pushState({}, '', '/after'));
    await page.waitForTimeout(50);
    expect(await captured()).toHaveLength(3);
  });
});

describe('clicks', () => {
  it('describe what was clicked on purpose, by what lasts', async () => {
    await start({ clicks: true });
    await page.locator('#icon').click();
    await page.evaluate(() => {
      document.querySelector('#mail')!.addEventListener('click', (event) => event.preventDefault());
      document
        .querySelector('a')!
        .addEventListener(
          'click',
          (event) => (event.preventDefault(), event.stopImmediatePropagation()),
        );
    });
    await page.getByText('Your cart').click();
    await page.locator('#mail').click();
    const where = { page: '/' };
    expect(await dataOf(3)).toEqual([
      {
        ...where,
        tag: 'button',
        name: 'Add tea',
        attributes: { 'data-capture': 'add-tea' },
        path: '#shop > ul > li:nth-of-type(2) > button',
      },
      { ...where, tag: 'a', name: 'Your cart', href: '/cart', path: '#shop > a:nth-of-type(1)' },
      { ...where, tag: 'a', id: 'mail', name: 'Write to us', href: 'mailto:', path: '#mail' },
    ]);
  });

  it('never tell what was typed, nor what is only text, nor what is not to be seen', async () => {
    await start({ clicks: { attributes: ['data-capture', 'name'] } });
    for (const id of ['generic', 'note', 'words', 'field', 'password', 'hidden']) {
      await page.locator(`#${id}`).click();
      await page.keyboard.type(SECRET);
    }
    const all = await captured();
    expect(all.map((event) => event.data['id'])).toEqual([
      'generic',
      'note',
      'words',
      'field',
      'password',
    ]);
    expect(all[2]!.data['name'], 'a field’s label is its name').toBe('Your words');
    expect(JSON.stringify(all)).not.toContain('tiger');
  });

  it('see into open shadow trees', async () => {
    await start({ clicks: true });
    await page.evaluate(() => {
      const root = document.querySelector('#host')!.attachShadow({ mode: 'open' });
      root.innerHTML = '<button id="inner" aria-label="Like it">♥</button>';
    });
    await page.locator('#inner').click();
    expect(await dataOf(1)).toMatchObject([{ tag: 'button', id: 'inner', name: 'Like it' }]);
  });
});

describe('forms', () => {
  it('that are submitted are told by name, never by content, even where fields hide their properties', async () => {
    await start({ forms: true });
    await page.locator('#password').fill(SECRET);
    await page.locator('#pay').click();
    await page.locator('#send-private').evaluate((button: HTMLButtonElement) => {
      button.form!.addEventListener('submit', (event) => event.preventDefault());
      button.click();
    });
    const all = await captured();
    expect(all).toEqual([
      {
        type: 'form.submitted',
        data: {
          path: '#order',
          id: 'order',
          name: 'order',
          action: '/orders',
          method: 'post',
          fields: 3,
          page: '/',
        },
      },
    ]);
    expect(JSON.stringify(all)).not.toContain('tiger');
  });
});

describe('errors', () => {
  const fail = (message: string, times = 1): Promise<void> =>
    page.evaluate(
      ([message, times]) => {
        for (let i = 0; i < Number(times); i++)
          setTimeout(() => {
            throw new TypeError(message as string);
          });
      },
      [message, times],
    );

  it('and unhandled rejections are told, the same one once, few in a minute, and the others are counted', async () => {
    await start({ errors: { perMinute: 3 } });
    await fail('no tea', 5);
    await page.evaluate(() => void Promise.reject(new RangeError('too much')));
    await dataOf(2);
    await page.evaluate(() => void Promise.reject({ user: 'tiger' }));
    const all = await dataOf(3);
    expect(all).toMatchObject([
      { kind: 'error', name: 'TypeError', message: 'no tea', unreported: 0, page: '/' },
      { kind: 'rejection', name: 'RangeError', message: 'too much', unreported: 4 },
      { kind: 'rejection', name: 'object', message: '' },
    ]);
    expect(String(all[0]!['stack'])).toContain('TypeError: no tea');
    await fail('one more');
    await page.waitForTimeout(50);
    expect(await captured()).toHaveLength(3);
  });

  it('are cut to a bounded length, and addresses in their stacks have no query', async () => {
    await start({ errors: true });
    await page.evaluate((secret) => {
      const error = new Error('x'.repeat(100_000));
      error.stack = `Error\n at http://localhost/app.js?token=${secret}:1:2\n${'at f\n'.repeat(10_000)}`;
      setTimeout(() => {
        throw error;
      });
    }, SECRET);
    const [error] = await dataOf(1);
    expect(String(error!['message'])).toHaveLength(500);
    expect(String(error!['stack'])).toHaveLength(2000);
    expect(String(error!['stack'])).toContain('at http://localhost/app.js:1:2');
    expect(JSON.stringify(error)).not.toContain('tiger');
  });
});

it('tells when the page is hidden and shown, and for how long it was', async () => {
  await start({ visibility: true });
  await page.evaluate(() => {
    for (const state of ['hidden', 'visible']) {
      Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }
  });
  expect(await captured()).toEqual([
    { type: 'page.hidden', data: { page: '/', visibleMs: expect.any(Number) } },
    { type: 'page.shown', data: { page: '/', hiddenMs: expect.any(Number) } },
  ]);
});

it('measures web vitals', async () => {
  await start({ vitals: true });
  await page.locator('#generic').click();
  const all = await dataOf(2);
  const names = all.map(({ name }) => name);
  expect(names).toContain('TTFB');
  expect(names).toContain('FCP');
  expect(all[0]).toEqual({
    name: expect.any(String),
    value: expect.any(Number),
    rating: expect.stringMatching(/^(good|needs-improvement|poor)$/),
    navigation: 'navigate',
    page: '/',
  });
});

it('captures nothing that was not asked for, and nothing any more once it was stopped', async () => {
  await start({});
  await page.locator('#pay').click();
  expect(await captured()).toEqual([]);
  await start({
    pageViews: true,
    clicks: true,
    forms: true,
    visibility: true,
    errors: true,
    vitals: true,
  });
  await page.evaluate(() => stop());
  const before = (await captured()).length;
  await page.locator('#pay').click();
  await page.evaluate(() => {
    history.pushState({}, '', '/gone');
    document.dispatchEvent(new Event('visibilitychange'));
    setTimeout(() => {
      throw new Error('late');
    });
  });
  await page.waitForTimeout(100);
  expect(await captured()).toHaveLength(before);
});

it('never throws in the page: not where the client does, nor where the page is strange', async () => {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await start({ pageViews: true, clicks: true, forms: true, visibility: true, errors: true }, '/', true);
  await page.locator('#pay').click();
  await start({ clicks: true, forms: true });
  await page.evaluate(() => {
    Element.prototype.closest = () => {
      throw new Error('a strange page');
    };
  });
  await page.locator('#pay').click();
  expect(errors).toEqual([]);
});

it('goes into a log whose strict catalogue has its types merged in', async () => {
  await page.goto(site.url);
  await page.waitForFunction('globalThis.shown !== undefined');
  const types = await page.evaluate(() =>
    shown.inLog(() => document.querySelector<HTMLButtonElement>('#pay')!.click()),
  );
  expect(types).toEqual(['page.viewed', 'element.clicked', 'form.submitted']);
});
