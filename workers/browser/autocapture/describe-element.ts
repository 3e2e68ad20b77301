/** Describes an element by what outlasts a visit: never by what was typed into it. */
import { addressOf, cut } from './address.ts';
import type { ElementDescription } from './events.ts';

/** Whether the element, or what it is in, is not to be seen. */
export function isIgnored(element: Element): boolean {
  return element.closest('[data-millrace-ignore]') !== null;
}

const MOST = { name: 80, attribute: 100, ancestors: 6 };

/** What one clicks on purpose: a click on an icon in a button is one on the button. */
const INTERACTIVE =
  'a[href],button,input,select,textarea,summary,label,option,[role],[onclick],[contenteditable]';
/** Of these, the text within is their name. */
const NAMED_BY_TEXT =
  'a,button,summary,label,[role=button],[role=link],[role=tab],[role=menuitem],[role=option],[role=switch]';

/** Made by hand: words, joined by - or _, and at most two digits at the end. What a framework makes is another each time. */
const LASTING_ID = /^[a-z]+(?:[-_]?[a-z]+)*[-_]?\d{0,2}$/i;

export function describeElement(target: Element, attributes: readonly string[]): ElementDescription {
  const chosen = attributes.map((name) => `[${CSS.escape(name)}]`);
  const element = target.closest([INTERACTIVE, ...chosen].join()) ?? target;
  const role = element.getAttribute('role');
  const id = lastingId(element);
  const name = nameOf(element);
  const href = element.getAttribute('href');
  const found = attributes.flatMap((key) => {
    const value = element.getAttribute(key);
    return value === null ? [] : [[key, cut(value, MOST.attribute)] as const];
  });
  return {
    tag: element.localName,
    ...(role && { role: cut(role, MOST.attribute) }),
    ...(id && { id }),
    ...(name && { name }),
    ...(found.length > 0 && { attributes: Object.fromEntries(found) }),
    ...(href !== null && { href: addressOf(href) }),
    path: pathOf(element),
  };
}

/** `main > section:nth-of-type(2) > form`: from the nearest ancestor with a lasting id, or six up. */
export function pathOf(element: Element): string {
  const steps: string[] = [];
  for (let at: Element | null = element; at && steps.length < MOST.ancestors; at = at.parentElement) {
    const id = lastingId(at);
    steps.unshift(id === undefined ? stepOf(at) : `#${id}`);
    if (id !== undefined) break;
  }
  return steps.join(' > ');
}

export function lastingId(element: Element): string | undefined {
  // By attribute: a form with a field named `id` has an element in its property's place.
  const id = element.getAttribute('id') ?? '';
  return id.length <= 64 && LASTING_ID.test(id) ? id : undefined;
}

function stepOf(element: Element): string {
  const { localName, parentElement } = element;
  const alike = [...(parentElement?.children ?? [])].filter((one) => one.localName === localName);
  return alike.length < 2 ? localName : `${localName}:nth-of-type(${alike.indexOf(element) + 1})`;
}

/** A part of the accessible name's computation (W3C accname), in its order; what a visitor edits has none of its own. */
function nameOf(element: Element): string {
  const labelledBy = element.getAttribute('aria-labelledby')?.split(/\s+/) ?? [];
  const root = element.getRootNode() as Document | ShadowRoot;
  const labels = [...labelledBy.map((id) => root.getElementById(id)), ...labelsOf(element)];
  const texts = [
    labels.map((label) => (label ? textOf(label) : '')).join(' '),
    element.getAttribute('aria-label'),
    element.matches(NAMED_BY_TEXT) ? textOf(element) : '',
    element.querySelector('img[alt]')?.getAttribute('alt'),
    element.getAttribute('alt'),
    element.getAttribute('title'),
  ];
  const text = texts.map((one) => one?.replaceAll(/\s+/g, ' ').trim()).find(Boolean) ?? '';
  return cut(text, MOST.name);
}

function labelsOf(element: Element): readonly Element[] {
  return 'labels' in element && element.labels instanceof NodeList
    ? ([...element.labels] as Element[])
    : [];
}

/** Without what is edited within, what is not to be seen, and what is no text. */
function textOf(element: Element): string {
  if (isIgnored(element) || element.closest(EDITED)) return '';
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_ALL, (node) =>
    node instanceof Element && node.matches(EDITED)
      ? NodeFilter.FILTER_REJECT
      : NodeFilter.FILTER_ACCEPT,
  );
  let text = '';
  while (walker.nextNode() && text.length < 4 * MOST.name)
    if (walker.currentNode instanceof Text) text += walker.currentNode.data;
  return text;
}

const EDITED =
  'textarea,select,input,script,style,[data-millrace-ignore],[contenteditable]:not([contenteditable=false])';
