/** The shop's side of the page: each thing that its visitor does is one event, and the cart is their sum. */
import type { Client } from 'millrace/browser';
import { Priority, type DataOf } from 'millrace';
import { Cart } from './cart.ts';
import { recallCart } from './cart-recall.ts';
import { createCartView } from './cart-view.ts';
import { find } from './element.ts';
import { openPages } from './pages.ts';
import { createProductDialog } from './product-dialog.ts';
import type { Product } from './products.ts';
import type { Recorder } from './recorder.ts';
import { fillShelf } from './shelf.ts';
import type { ShopSchemas } from './shop.ts';
import { newId, type Visit } from './visit.ts';

export interface StorefrontOptions {
  readonly client: Client<ShopSchemas>;
  readonly recorder: Recorder;
  readonly visit: Visit;
  /** Tells a visitor who does not look at the cart what became of a click. */
  readonly announce: (text: string) => void;
}

export function openStorefront(root: HTMLElement, options: StorefrontOptions): void {
  const { client, recorder, visit, announce } = options;
  const cart = new Cart();
  let cartId = visit.cartId();
  /** What made the visitor do the next thing: a product looked at, then added; a cart filled, then ordered. */
  let cause: string | undefined;

  const context = () => ({ correlationId: visit.id, subject: visit.cartId(), causationId: cause });

  const dialog = createProductDialog(find(document, 'dialog.product', HTMLDialogElement), {
    onAdd: (product) => change(product, 1),
  });
  fillShelf(find(root, '.shelf', HTMLElement), {
    onView(product) {
      const { id: productId, priceCents } = product;
      cause = recorder.record(
        'product.viewed',
        { productId, priceCents },
        { ...context(), causationId: undefined },
      );
      dialog.show(product);
    },
    onAdd: (product) => change(product, 1),
  });
  const badge = find(root, '[data-cart="count"]', HTMLElement);
  const view = createCartView(find(root, '#cart', HTMLElement), badge, {
    onChange: change,
    onOrder: order,
  });
  openPages(root, (path) => {
    cause = recorder.record('page.viewed', { path }, { ...context(), causationId: undefined });
  });

  void restore();
  addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void restore(); // Another tab may have gone on with the cart.
  });

  function change(product: Product, by: number): void {
    follow();
    const { id: productId, priceCents } = product;
    if (by > 0) fill('product.added', { productId, quantity: by, priceCents });
    if (by < 0) fill('product.removed', { productId, quantity: -by });
    view.say('');
    view.show(cart);
    announce(`${product.name}: ${Math.max(0, cart.quantity(productId))} in your cart`);
  }

  function fill<Type extends 'product.added' | 'product.removed'>(
    type: Type,
    data: DataOf<ShopSchemas, Type>,
  ): void {
    cause = recorder.record(type, data, context());
    cart.apply({ id: cause, type, data });
  }

  /** Another tab may have ordered the cart, or gone on with it: then this one starts from that. */
  function follow(): void {
    if (cartId === visit.cartId()) return;
    cartId = visit.cartId();
    cart.clear();
  }

  function order(): void {
    follow();
    const lines = cart.lines().map(({ product, quantity }) => ({
      productId: product.id,
      quantity,
      priceCents: product.priceCents,
    }));
    if (lines.length === 0) return view.show(cart);
    const orderId = newId('order');
    const totalCents = cart.totalCents();
    recorder.record(
      'order.placed',
      { orderId, totalCents, lines },
      { ...context(), priority: Priority.critical },
    );
    cause = undefined;
    visit.setCart(newId('cart'));
    follow();
    view.show(cart);
    view.say('Thank you. Your order is written down, whether or not there is a network.');
  }

  async function restore(): Promise<void> {
    try {
      if (visit.cartIsNew && cart.isUntouched()) {
        const found = await recallCart(client, visit.cartId());
        if (found !== undefined && cart.isUntouched()) visit.setCart(found);
      }
      follow();
      const subject = cartId;
      let after = 0;
      for (let more = true; more;) {
        const page = await client.query({ subject, after, limit: 1_000 });
        if (subject !== cartId) return;
        for (const { event } of page.events) cart.apply(event);
        ({ next: after, more } = page);
      }
    } catch {
      view.say('What was in your cart could not be read from this device. New clicks still count.');
    }
    view.show(cart);
  }
}
