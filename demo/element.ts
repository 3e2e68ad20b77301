/** Finding elements that the page's HTML promises: a missing one is a defect, said at once. */

type Kind<E extends Element> = abstract new () => E;

/** @throws Error that names the selector, where nothing of that kind is there. */
export function find<E extends Element>(root: ParentNode, selector: string, kind: Kind<E>): E {
  const found = root.querySelector(selector);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${kind.name} at ${selector}`);
}

/** The first element of a template, copied. */
export function stamp(id: string): HTMLElement {
  const copy = find(document, `template#${id}`, HTMLTemplateElement).content.cloneNode(
    true,
  ) as DocumentFragment;
  return find(copy, '*', HTMLElement);
}

/** Writes only where the text changes, so that nothing is laid out or announced again for nothing. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
