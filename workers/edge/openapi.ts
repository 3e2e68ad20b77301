/** The OpenAPI 3.1 document, made from the schemas that requests are checked with. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { accessTo } from './access/access-table.ts';
import type { EdgeBindings } from './environment.ts';

export type Document = ReturnType<OpenAPIHono<EdgeBindings>['getOpenAPI31Document']>;

const DESCRIPTION =
  'Events come in, are stored once and in order, and can be read by id, type, correlation and cursor, and live. ' +
  'Every refusal is problem details (RFC 9457). `RateLimit` and `RateLimit-Policy` say what a key may still do.';

/** The document, with who may call each route as the table has it. */
export function createDocument(api: OpenAPIHono<EdgeBindings>): Document {
  const document = api.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Millrace', version: '1', description: DESCRIPTION },
    servers: [{ url: '/' }],
  });
  for (const [path, methods] of Object.entries(document.paths ?? {}))
    for (const [method, operation] of Object.entries(methods))
      secure(operation as Operation, `${method.toUpperCase()} ${path.replaceAll(/\{(.+?)\}/g, ':$1')}`);
  const bearer = { type: 'http', scheme: 'bearer', description: 'an API key' } as const;
  return {
    ...document,
    components: { ...document.components, securitySchemes: { key: bearer } },
  };
}

interface Operation {
  security?: readonly Readonly<Record<string, readonly string[]>>[];
  'x-scopes'?: readonly string[];
}

function secure(operation: Operation, route: string): void {
  const access = accessTo(route);
  operation.security = access === 'anyone' ? [] : [{ key: [] }];
  if (access !== 'anyone') operation['x-scopes'] = access;
}
