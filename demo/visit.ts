/** Who is clicking: a visit for as long as the tab lives, and a cart until it is ordered. */

export interface Visit {
  /** The `correlationId` of all that this visitor does. */
  readonly id: string;
  /** The `subject` of what happens to the cart. Shared by the tabs of a browser. */
  cartId(): string;
  /** Whether the browser remembered no cart when the page was loaded. */
  readonly cartIsNew: boolean;
  /** Goes on with another cart: a new one after an order, or one that was found again. */
  setCart(id: string): void;
}

export function openVisit(): Visit {
  return {
    id: remembered(() => sessionStorage, 'visit'),
    cartIsNew: recall(() => localStorage, 'cart') === undefined,
    cartId: () => remembered(() => localStorage, 'cart'),
    setCart: (id) => keep(() => localStorage, 'cart', id),
  };
}

/** `cart-3f9a…`, as unique as twelve random hexadecimal digits. */
export function newId(kind: string): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `${kind}-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

// Where the browser keeps nothing (a policy, a private window), a visit lives as long as its page.
const inPage = new Map<string, string>();

function remembered(store: () => Storage, kind: string): string {
  return recall(store, kind) ?? keep(store, kind, newId(kind));
}

function recall(store: () => Storage, kind: string): string | undefined {
  try {
    return store().getItem(`aldermere/${kind}`) ?? undefined;
  } catch {
    return inPage.get(kind);
  }
}

function keep(store: () => Storage, kind: string, id: string): string {
  inPage.set(kind, id);
  try {
    store().setItem(`aldermere/${kind}`, id);
  } catch {
    // Kept in the page alone, as said above.
  }
  return id;
}
