/** The types that autocapture captures, to be merged into a catalogue. */
import type { EventTypeName } from '../../../src/event/catalogue.ts';
import type { StandardSchema } from '../../../src/event/standard-schema.ts';

/** An address without its origin, where that is the page's own; without its query, unless that is asked for. */
type Address = string;

export interface AutocapturedData {
  readonly 'page.viewed': {
    readonly path: Address;
    readonly title: string;
    /** From where: the page before, on this site or another. */
    readonly referrer?: Address;
    /** `load`; `navigation`, within a single page; `restored`, from the browser's cache of whole pages. */
    readonly kind: 'load' | 'navigation' | 'restored';
  };
  readonly 'element.clicked': ElementDescription & { readonly page: Address };
  readonly 'form.submitted': {
    readonly path: string;
    readonly id?: string;
    readonly name?: string;
    readonly action: Address;
    readonly method: string;
    /** How many fields it has, filled in or not. */
    readonly fields: number;
    readonly page: Address;
  };
  readonly 'page.hidden': { readonly page: Address; readonly visibleMs: number };
  readonly 'page.shown': { readonly page: Address; readonly hiddenMs: number };
  readonly 'error.thrown': {
    readonly kind: 'error' | 'rejection';
    readonly name: string;
    readonly message: string;
    readonly stack?: string;
    /** Errors since the last report that were the same, or too many. */
    readonly unreported: number;
    readonly page: Address;
  };
  readonly 'vital.measured': {
    readonly name: 'CLS' | 'FCP' | 'INP' | 'LCP' | 'TTFB';
    /** In ms; CLS has no unit. */
    readonly value: number;
    readonly rating: 'good' | 'needs-improvement' | 'poor';
    readonly navigation: string;
    readonly page: Address;
  };
}

/** What stays the same of an element from one visit to the next, and from one deployment to the next, as far as can be. */
export interface ElementDescription {
  readonly tag: string;
  readonly role?: string;
  /** Not one that looks generated. */
  readonly id?: string;
  /** The accessible name, or the start of it, of what one clicks on purpose. Never what was typed. */
  readonly name?: string;
  readonly attributes?: Readonly<Record<string, string>>;
  /** Where a link leads. */
  readonly href?: Address;
  /** From the nearest ancestor with a lasting id: `#cart > li:nth-of-type(2) > button`. */
  readonly path: string;
}

export type AutocapturedType = keyof AutocapturedData & EventTypeName;

/** Autocapture makes the data itself: there is nothing to check, and no validator to load. */
function made<Data>(): StandardSchema<Data> {
  return {
    '~standard': { version: 1, vendor: 'millrace', validate: (value) => ({ value: value as Data }) },
  };
}

/** To be spread into `defineEvents`. */
export const autocaptured: {
  readonly [Type in AutocapturedType]: StandardSchema<AutocapturedData[Type]>;
} = {
  'page.viewed': made(),
  'element.clicked': made(),
  'form.submitted': made(),
  'page.hidden': made(),
  'page.shown': made(),
  'error.thrown': made(),
  'vital.measured': made(),
};
