/** Core Web Vitals, and the first paint and byte, by `web-vitals`: a chunk of its own, loaded where they are asked for. */
import type { MetricType } from 'web-vitals';
import { page } from './address.ts';
import type { Watch } from './watch.ts';

export function watchVitals(watch: Watch): void {
  const measured = ({ name, value, rating, navigationType }: MetricType): void =>
    watch.run(() =>
      watch.capture('vital.measured', {
        name,
        value: Math.round(value * 1000) / 1000,
        rating,
        navigation: navigationType,
        page: page(),
      }),
    );
  // It knows no way to stop; what it tells after the stop is captured no more.
  import('web-vitals').then(
    ({ onCLS, onFCP, onINP, onLCP, onTTFB }) => {
      for (const on of [onCLS, onFCP, onINP, onLCP, onTTFB]) watch.run(() => on(measured));
    },
    () => {
      // The chunk could not be had, as without a network: there are no vitals then.
    },
  );
}
