/** Who is one client, as far as an address tells: of IPv6 a network of 64 bits, all of which one host may use. */
import ipaddr from 'ipaddr.js';

/** By the address that Cloudflare has seen; what is none is itself. */
export function clientOf(address = ''): string {
  if (!ipaddr.IPv6.isValid(address)) return address;
  const { parts } = ipaddr.IPv6.parse(address);
  return parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':');
}
