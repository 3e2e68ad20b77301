/** The state of the way to the edge, in words. */
import type { ClientStatus } from 'millrace/browser';

export type ConnectionState = 'starting' | 'online' | 'offline' | 'backoff' | 'fenced' | 'failed';

export interface Connection {
  readonly state: ConnectionState;
  readonly label: string;
}

const labels: Readonly<Record<ConnectionState, string>> = {
  starting: 'Starting',
  online: 'Online',
  offline: 'Offline: gate shut',
  backoff: 'Edge unreachable, trying again',
  fenced: 'Another sender took over',
  failed: 'The log cannot be opened',
};

/** `network` is what the browser believes: false is sure, true only means that it may be there. */
export function describeConnection(status: ClientStatus, network: boolean): Connection {
  const state = connectionState(status);
  return { state, label: state === 'offline' && !network ? 'Offline: no network' : labels[state] };
}

function connectionState({ state, online }: ClientStatus): ConnectionState {
  if (state === 'starting' || state === 'failed' || state === 'fenced') return state;
  if (!online || state === 'offline') return 'offline';
  if (state === 'stopped') return 'starting';
  return state === 'backoff' ? state : 'online';
}
