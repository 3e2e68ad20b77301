/**
 * Which IP addresses a callback may be at: those of the public internet, and no other. What an address is, `ipaddr.js`
 * knows from IANA's registries of special-purpose addresses (RFC 6890); added are ranges that it takes for ordinary.
 */
import ipaddr from 'ipaddr.js';

export type AddressKind = 'public' | 'loopback' | 'refused';

/** IPv6 that is routed: all that IANA has ever given out (RFC 4291, section 2.4). Whatever is outside has another meaning. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
/** 6bone, given back (RFC 3701). */
const GIVEN_BACK = ipaddr.IPv6.parseCIDR('3ffe::/16');
/** Public by number, and answered inside of Azure's machines alone: their metadata and DNS. */
const METADATA = ['168.63.129.16'];
/** An interface id that carries an IPv4 address through a tunnel (ISATAP, RFC 5214): either form of the group before it. */
const ISATAP = 0x5efe;
const ISATAP_GROUPS: readonly number[] = [0, 0x200];

/** Of an address in its usual notation, IPv6 without brackets. What is no address is refused. */
export function kindOfAddress(text: string): AddressKind {
  if (!ipaddr.isValid(text)) return 'refused';
  const address = ipaddr.parse(text);
  if (address.range() === 'loopback') return 'loopback';
  if (address.range() !== 'unicast') return 'refused';
  if (address.kind() === 'ipv4') return METADATA.includes(address.toString()) ? 'refused' : 'public';
  return isRouted(address as ipaddr.IPv6) ? 'public' : 'refused';
}

function isRouted(address: ipaddr.IPv6): boolean {
  const tunnel = address.parts[5] === ISATAP && ISATAP_GROUPS.includes(address.parts[4]!);
  return address.match(GLOBAL_UNICAST) && !address.match(GIVEN_BACK) && !tunnel;
}
