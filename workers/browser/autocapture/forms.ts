/** Forms as they are submitted: which, and how large. Nothing that was filled in is read. */
import { addressOf, cut, page } from './address.ts';
import { isIgnored, lastingId, pathOf } from './describe-element.ts';
import type { Watch } from './watch.ts';

export function watchForms(watch: Watch): void {
  watch.on(document, 'submit', (event) => {
    const form = event.composedPath()[0];
    if (!(form instanceof HTMLFormElement) || isIgnored(form)) return;
    // By attribute: a field of that name hides the form's own property.
    const { submitter } = event as SubmitEvent;
    const of = (name: string): string =>
      submitter?.getAttribute(`form${name}`) ?? form.getAttribute(name) ?? '';
    const id = lastingId(form);
    const name = form.getAttribute('name');
    watch.capture('form.submitted', {
      path: pathOf(form),
      ...(id && { id }),
      ...(name && { name: cut(name, 100) }),
      action: addressOf(of('action')),
      method: of('method').toLowerCase() || 'get',
      fields: form.querySelectorAll('input:not([type=hidden]),select,textarea').length,
      page: page(),
    });
  });
}
