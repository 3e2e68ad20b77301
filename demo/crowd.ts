/** A hundred clicks at once: a crowd of visitors beside the real one, each with a visit and a cart of its own. */
import { products, type Product } from './products.ts';
import type { Recorder } from './recorder.ts';
import { newId } from './visit.ts';

/** Who says so: not this visitor. */
const CROWD = `${location.origin}/crowd`;

/** Captures `clicks` events now, as plausible visitors would make them. */
export function sendCrowd(recorder: Recorder, clicks: number): void {
  for (let left = clicks; left > 0;) left -= visitOnce(recorder, left);
}

/** One event that happened earlier than all that the charts have closed: it revises its window. */
export function sendLateClick(recorder: Recorder, ageMs: number): void {
  const { id: productId, priceCents } = anyProduct();
  const context = { correlationId: newId('visit'), source: CROWD, timestamp: Date.now() - ageMs };
  recorder.record('product.viewed', { productId, priceCents }, context);
}

/** At most `limit` clicks of one visitor; returns how many. */
function visitOnce(recorder: Recorder, limit: number): number {
  const context = { correlationId: newId('visit'), subject: newId('cart'), source: CROWD };
  let clicks = 0;
  const click = (step: () => void): void => {
    if (clicks < limit) step();
    clicks = Math.min(limit, clicks + 1);
  };
  const kept = new Map<string, number>();
  click(() => recorder.record('page.viewed', { path: '/' }, context));
  for (let look = 0; look < 2 + Math.random() * 4; look++) {
    const { id: productId, priceCents } = anyProduct();
    click(() => recorder.record('product.viewed', { productId, priceCents }, context));
    if (Math.random() < 0.4) continue;
    click(() => {
      recorder.record('product.added', { productId, quantity: 1, priceCents }, context);
      kept.set(productId, priceCents);
    });
    if (Math.random() < 0.75) continue;
    click(() => {
      recorder.record('product.removed', { productId, quantity: 1 }, context);
      kept.delete(productId);
    });
  }
  if (kept.size > 0 && Math.random() < 0.5) {
    const lines = [...kept].map(([productId, priceCents]) => ({ productId, quantity: 1, priceCents }));
    const totalCents = lines.reduce((sum, line) => sum + line.priceCents, 0);
    click(() =>
      recorder.record('order.placed', { orderId: newId('order'), totalCents, lines }, context),
    );
  }
  return clicks;
}

function anyProduct(): Product {
  return products[Math.floor(Math.random() * products.length)]!;
}
