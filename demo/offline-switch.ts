/** The gate: shut, nothing leaves this device, from any tab, until it is opened again. */
import type { Client, ClientStatus } from 'millrace/browser';
import type { ShopSchemas } from './shop.ts';

export function openOfflineSwitch(button: HTMLElement, client: Client<ShopSchemas>): void {
  /** Switchings under way: until they are done, the status still tells of before. */
  let pending = 0;

  function show(shut: boolean): void {
    button.setAttribute('aria-checked', String(shut));
  }

  async function toggle(): Promise<void> {
    const shut = button.getAttribute('aria-checked') !== 'true';
    show(shut);
    pending++;
    try {
      await client.setOffline(shut);
    } catch {
      show(!shut); // The log cannot be written; the connection's label says so.
    } finally {
      pending--;
    }
  }

  button.addEventListener('click', () => void toggle());
  const follow = ({ online, state }: ClientStatus): void => {
    // Where the network is known to be away, the status does not tell whether the gate is shut as well.
    if (pending > 0 || state === 'starting' || state === 'failed' || !navigator.onLine) return;
    show(!online);
  };
  client.onStatus(follow);
}
