/**
 * Page analytics in wide use, and ours, behind one call: loaded one at a time, each in a tab of its own. Each is set up
 * as its documentation says, without what it does beside counting: no autocapture, no session recording, no plugins.
 */
import type { Client } from '../../../workers/browser/client.ts';
import { openClient, visit } from './shop-page.ts';

export type TrackerName = 'millrace' | 'posthog' | 'segment' | 'snowplow' | 'rudderstack' | 'none';

interface Tracker {
  track(data: object): void;
  /** How many of the events it is known to have taken. */
  taken(): number;
}

const SERVER = location.origin;

const load: Readonly<Record<TrackerName, () => Promise<Tracker>>> = {
  async none() {
    return { track: () => {}, taken: () => 0 };
  },

  async millrace() {
    const client: Client = openClient({ sync: true });
    await client.flush();
    const before = client.status().captured;
    return {
      track: (data) => client.capture('page.viewed', data),
      taken: () => client.status().captured - before,
    };
  },

  async posthog() {
    const { posthog } = await import('posthog-js');
    let taken = 0;
    posthog.init('phc_bench', {
      api_host: SERVER,
      autocapture: false,
      capture_pageview: false,
      capture_pageleave: false,
      disable_session_recording: true,
      advanced_disable_flags: true,
      disable_external_dependency_loading: true,
      // A headless browser counts as a bot, whose events it drops.
      opt_out_useragent_filter: true,
      // Beyond ten a second it drops.
      rate_limiting: { events_per_second: 10_000, events_burst_limit: 100_000 },
    });
    posthog.on('eventCaptured', () => taken++);
    return { track: (data) => void posthog.capture('page.viewed', data), taken: () => taken };
  },

  async segment() {
    const { AnalyticsBrowser } = await import('@segment/analytics-next');
    const cdnSettings = { integrations: { 'Segment.io': { apiKey: 'bench', apiHost: location.host } } };
    const [analytics] = await AnalyticsBrowser.load({ writeKey: 'bench', cdnSettings });
    let taken = 0;
    return {
      // Its promise comes with the answer of the server, which offline it has not.
      track: (data) => {
        analytics.track('page.viewed', data).catch(() => {});
        taken++;
      },
      taken: () => taken,
    };
  },

  async snowplow() {
    const { newTracker, trackSelfDescribingEvent } = await import('@snowplow/browser-tracker');
    newTracker('sp', SERVER, { appId: 'shop' });
    const schema = 'iglu:com.example/page_viewed/jsonschema/1-0-0';
    return {
      track: (data) => trackSelfDescribingEvent({ event: { schema, data: { ...data } } }),
      taken: () => stored('snowplow', 'page_viewed'),
    };
  },

  async rudderstack() {
    const { RudderAnalytics } = await import('@rudderstack/analytics-js/bundled');
    const analytics = new RudderAnalytics();
    const source = {
      id: 'bench',
      name: 'bench',
      writeKey: 'bench',
      enabled: true,
      workspaceId: 'bench',
      destinations: [],
      config: { statsCollection: { errors: { enabled: false }, metrics: { enabled: false } } },
    };
    await new Promise<void>((ready) => {
      analytics.load('bench', SERVER, {
        getSourceConfig: () => ({ source }),
        onLoaded: () => ready(),
        sessions: { autoTrack: false },
      });
    });
    return {
      track: (data) => analytics.track('page.viewed', { ...data }),
      taken: () => stored('rudder', 'page.viewed'),
    };
  },
};

/** How often a word stands in what a tracker keeps in the local storage. */
function stored(key: string, word: string): number {
  const kept = Object.entries(localStorage).filter(([name]) => name.includes(key));
  return kept.reduce((sum, [, value]) => sum + String(value).split(word).length - 1, 0);
}

let tracker: Tracker | undefined;

const bench = {
  async load(name: TrackerName): Promise<void> {
    tracker = await load[name]();
  },

  /** All in one task. Gives how long that was, in ms. */
  burst(count: number): number {
    const start = performance.now();
    for (let n = 0; n < count; n++) tracker!.track(visit(n));
    return performance.now() - start;
  },

  /** One event each so many ms. */
  async pace(count: number, everyMs: number): Promise<void> {
    await new Promise<void>((done) => {
      let n = 0;
      const timer = setInterval(() => {
        tracker!.track(visit(n));
        if (++n < count) return;
        clearInterval(timer);
        done();
      }, everyMs);
    });
  },

  taken: () => tracker!.taken(),
};

export type TrackerBench = typeof bench;

Object.assign(globalThis, { bench });
