/** `GET /docs`: the OpenAPI document as one page to be read, without a script or anything from elsewhere. */
import { html, raw } from 'hono/html';
import type { Document } from './openapi.ts';

/** Only the page's own style, by its hash's stand-in: there is nothing else that it could load. */
export const DOCS_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly default?: unknown;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Schema;
}

interface Content {
  readonly [mediaType: string]: { readonly schema?: Schema };
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Content }>
  >;
  readonly 'x-scopes'?: readonly string[];
}

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 3rem; } h3 { margin: 2rem 0 0; font-size: 1rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
table { border-collapse: collapse; margin: 0.5rem 0; } td, th { padding: 0.1rem 1rem 0.1rem 0; text-align: left; vertical-align: top; }
.scopes { opacity: 0.7; font-weight: normal; }
`;

export function docsPage(document: Document) {
  const operations = operationsOf(document);
  const groups = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? 'Other');
  const schemas = Object.entries((document.components?.schemas ?? {}) as Record<string, Schema>);
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${document.info.title}</title>
        <style>
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <h1>${document.info.title}</h1>
        <p>${document.info.description}</p>
        <p><a href="/openapi.json">openapi.json</a></p>
        ${[...groups].map(
          ([tag, some]) =>
            html`<h2>${tag}</h2>
              ${some.map(showOperation)}`,
        )}
        <h2>Schemas</h2>
        ${schemas.map(
          ([name, schema]) =>
            html`<h3 id="${name}">${name}</h3>
              ${showProperties(schema)}`,
        )}
      </body>
    </html>`;
}

interface Named {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

function operationsOf(document: Document): readonly Named[] {
  return Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
}

function showOperation({ method, path, operation }: Named) {
  const { summary, description, parameters = [], requestBody, responses } = operation;
  const scopes = operation['x-scopes']?.join(' or ') ?? 'anyone';
  return html`<h3><code>${method} ${path}</code> <span class="scopes">${scopes}</span></h3>
    <p>${summary}${description === undefined ? '' : `. ${description}`}</p>
    <table>
      ${parameters.map(
        (one) =>
          html`<tr>
            <td><code>${one.name}</code></td>
            <td>${one.in}${one.required ? ', required' : ''}</td>
            <td>${showType(one.schema)} ${one.schema?.description}</td>
          </tr>`,
      )}
      ${showContent('body', requestBody?.content)}
      ${Object.entries(responses).map(([status, one]) => showContent(status, one.content, one.description))}
    </table>`;
}

function showContent(name: string, content: Content | undefined, description = '') {
  if (content === undefined && description === '') return '';
  const types = Object.entries(content ?? {});
  return html`<tr>
    <td>${name}</td>
    <td>
      ${types.map(([mediaType, { schema }]) => html`<code>${mediaType}</code> ${showType(schema)}<br />`)}
    </td>
    <td>${description}</td>
  </tr>`;
}

function showProperties({ properties = {}, required = [], description }: Schema) {
  return html`<p>${description}</p>
    <table>
      ${Object.entries(properties).map(
        ([name, schema]) =>
          html`<tr>
            <td><code>${name}</code></td>
            <td>${required.includes(name) ? 'required' : ''}</td>
            <td>${showType(schema)} ${schema.description}</td>
          </tr>`,
      )}
    </table>`;
}

function showType(schema: Schema | undefined): unknown {
  if (schema === undefined) return '';
  const { $ref, anyOf, items, type } = schema;
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1);
    return html`<a href="#${name}">${name}</a>`;
  }
  if (anyOf !== undefined)
    return anyOf.map((one, index) => html`${index > 0 ? ' or ' : ''}${showType(one)}`);
  if (items !== undefined) return html`list of ${showType(items)}`;
  if (schema.enum !== undefined) return schema.enum.join(' | ');
  return type === undefined ? 'any' : [type].flat().join(' or ');
}
