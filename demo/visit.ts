/** Who is clicking: a visit for as long as the tab lives, and a cart until it is ordered. */

export interface Visit {
  /** The `correlationId` of all that this visitor does. */
  readonly id: string;
  /** The `subject` of what happens to the cart. Shared by the tabs of a browser. */
  cartId(): string;
  /** Puts an empty cart in the place of the ordered one. */
  renewCart(): void;
}

export function openVisit(): Visit {
  return {
    id: remembered(() => sessionStorage, 'visit'),
    cartId: () => remembered(() => localStorage, 'cart'),
    renewCart: () => keep(() => localStorage, 'cart', newId('cart')),
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
  const known = inPage.get(kind);
  try {
    const kept = store().getItem(`aldermere/${kind}`);
    if (kept !== null) return kept;
  } catch {
    if (known !== undefined) return known;
  }
  return keep(store, kind, known ?? newId(kind));
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
