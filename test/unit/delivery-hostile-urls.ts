/** Callback URLs that must not be taken: addresses and names that are not the internet's, in every notation there is. */

/** One of each special range at least, and its edges. */
const IPV4: readonly string[] = [
  ...['127.0.0.1', '127.0.0.2', '127.255.255.254', '0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255'],
  ...[
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.255.254',
    '169.254.169.254',
    '169.254.0.1',
  ],
  ...['100.64.0.1', '100.100.100.200', '100.127.255.255', '192.0.0.192', '192.0.2.1', '198.51.100.7'],
  ...['203.0.113.9', '198.18.0.1', '198.19.255.255', '224.0.0.1', '239.255.255.250', '240.0.0.1'],
  ...['255.255.255.255', '192.88.99.1', '168.63.129.16'],
];

const IPV6: readonly string[] = [
  ...[
    '::',
    '::1',
    'fe80::1',
    'febf::1',
    'fc00::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    'fec0::1',
    'ff02::1',
  ],
  ...['100::1', '2001:db8::1', '3fff::1', '3ffe::1', '2001:2::1', '2001:10::1', '2001:20::1', '5f00::1'],
  ...['2001::1', '2001:0:7f00:1::', '2620:4f:8000::1', '64:ff9b:1::a00:1', '1::1', '4000::1', '8000::1'],
];

const NAMES: readonly string[] = [
  ...['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', 'localhost.localdomain', 'ip6-localhost'],
  ...['metadata', 'metadata.google.internal', 'metadata.google.internal.', 'instance-data.ec2.internal'],
  ...[
    'kubernetes.default.svc.cluster.local',
    'printer.local',
    'router.lan',
    'nas.home',
    'box.home.arpa',
  ],
  ...[
    'db.corp',
    'api.intranet',
    'vault.private',
    'shop.test',
    'shop.invalid',
    'shop.example',
    'x.onion',
  ],
  ...['1.0.0.127.in-addr.arpa', 'intranet', 'redis', 'host.docker.internal', 'gateway.docker.internal'],
  ...[
    'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ',
    'ｌｏｃａｌｈｏｓｔ',
    'loc%61lhost',
    'localhost。',
    'a.localhost.',
    'shop.example.com.',
  ],
];

const [hex, octal] = [16, 8].map((base) => (octet: number) => octet.toString(base)) as [Digits, Digits];
type Digits = (octet: number) => string;

function notations(address: string): readonly string[] {
  const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number];
  const number = ((a * 256 + b) * 256 + c) * 256 + d;
  const high = hex(a * 256 + b);
  const low = hex(c * 256 + d);
  return [
    address,
    `${address}.`,
    String(number),
    `0x${hex(number)}`,
    `0${octal(number)}`,
    `0x${hex(a)}.0x${hex(b)}.0x${hex(c)}.0x${hex(d)}`,
    `0${octal(a)}.0${octal(b)}.0${octal(c)}.0${octal(d)}`,
    `${a}.0x${hex(b)}.${c}.0${octal(d)}`,
    `${a}.${(b * 256 + c) * 256 + d}`,
    `${a}.${b}.${c * 256 + d}`,
    address.replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
    address.replaceAll('.', '。'),
    `%${hex(address.charCodeAt(0))}${address.slice(1)}`,
    `[::ffff:${address}]`,
    `[::ffff:${high}:${low}]`,
    `[0:0:0:0:0:ffff:${address}]`,
    `[::${address}]`,
    `[::ffff:0:${address}]`,
    `[64:ff9b::${address}]`,
    `[64:ff9b:1::${address}]`,
    `[2002:${high}:${low}::1]`,
    `[2001:0:${high}:${low}::1]`,
    `[2001:470:1:2:0:5efe:${high}:${low}]`,
  ];
}

function expanded(address: string): string {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  return [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
    .map((group) => group.padStart(4, '0').toUpperCase())
    .join(':');
}

const PUBLIC = 'shop.example.com';

/** Nothing in them is private but the way they are written, or where they lead to. */
const SHAPES: readonly string[] = [
  ...[
    `http://${PUBLIC}/`,
    `HTTP://${PUBLIC}/`,
    `ftp://${PUBLIC}/`,
    `ws://${PUBLIC}/`,
    `wss://${PUBLIC}/`,
  ],
  ...['file:///etc/passwd', 'gopher://127.0.0.1:6379/_', 'data:text/plain,x', 'javascript:alert(1)'],
  ...[
    'blob:https://shop.example.com/1',
    'about:blank',
    '//shop.example.com/',
    '/hook',
    'shop.example.com',
  ],
  ...[
    '',
    ' ',
    'https://',
    'https:///',
    'https://?',
    'https://[',
    'https://[::1',
    'https://a b.example.com/',
  ],
  ...[22, 25, 80, 3306, 5432, 6379, 8080, 9200, 11211, 27017, 0, 65536].map(
    (p) => `https://${PUBLIC}:${p}/`,
  ),
  ...[`https://u:p@${PUBLIC}/`, `https://u@${PUBLIC}/`, `https://@${PUBLIC}/`, `https://:@${PUBLIC}/`],
  ...[`https://${PUBLIC}@127.0.0.1/`, `https://127.0.0.1@${PUBLIC}/`, `https://u%40@${PUBLIC}/`],
  ...[`https://${PUBLIC}/#x`, `https://${PUBLIC}#@127.0.0.1/`, `https://${PUBLIC}\\@127.0.0.1/`],
  ...[`https:\\\\${PUBLIC}/`, `https://${PUBLIC}/\n`, `https://${PUBLIC}/\t`, ` https://${PUBLIC}/`],
  ...[
    `ht\ntps://127.0.0.1/`,
    `https://127.0.0.1\t/`,
    `https://127.0.0.1\r\n/`,
    `https://${PUBLIC}/\u0000`,
  ],
  ...[`https:127.0.0.1/`, `https:/127.0.0.1/`, `https:////127.0.0.1/`, `https://127.0.0.1:443/`],
  ...[`https://${PUBLIC}/${'x'.repeat(2048)}`, `https://${PUBLIC}\u2028/`, `https://${PUBLIC}\u00a0/`],
];

/** Each once. */
export const hostileUrls: readonly string[] = [
  ...new Set([
    ...IPV4.flatMap(notations).map((host) => `https://${host}/hook`),
    ...IPV6.flatMap((address) => [`[${address}]`, `[${expanded(address)}]`]).map(
      (host) => `https://${host}/hook`,
    ),
    ...NAMES.flatMap((name) => [`https://${name}/`, `https://${name}:8443/hook?x=1`]),
    ...SHAPES,
  ]),
];

/** Names of the internet that lead elsewhere, by what a resolver says of them. */
export const hostileAnswers: readonly (readonly string[])[] = [
  ...IPV4.map((address) => [address]),
  ...IPV6.map((address) => [address]),
  ...IPV4.map((address) => ['93.184.216.34', address]),
  ...IPV4.map((address) => [`::ffff:${address}`]),
  ...IPV4.map((address) => ['2606:4700::1111', `64:ff9b::${address}`]),
  ['not an address'],
  [''],
];

const HOSTS: readonly string[] = [
  ...[
    'shop.example.com',
    'example.com',
    'hooks.example.co.uk',
    'xn--bcher-kva.example.com',
    'bücher.example.com',
  ],
  ...[
    'a-b.example.org',
    '_hooks.example.net',
    '123.example.com',
    'localhost.example.com',
    '10.example.com',
  ],
  ...[
    'internal.example.com',
    'local.example.com',
    'metadata.google.com',
    '127.0.0.1.example.com',
    'api.io',
  ],
  ...[
    '1.1.1.1',
    '8.8.8.8',
    '93.184.216.34',
    '172.15.0.1',
    '172.32.0.1',
    '100.63.255.255',
    '[2606:4700::1111]',
  ],
  ...['11.0.0.1', '126.255.255.255', '[2a00:1450:4001::1]'],
];

export const benignUrls: readonly string[] = HOSTS.flatMap((host) => [
  `https://${host}/`,
  `https://${host}:8443/hooks/orders?tenant=7&sign=a%40b`,
  `https://${host}:443/a/../b/@someone`,
  `HTTPS://${host.toUpperCase()}/hook`,
]);
