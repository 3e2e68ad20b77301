/**
 * Who may do what: the one table. The middleware enforces it, the documents are made from it, and a test asks every
 * route with every scope.
 */

/**
 * `publish`: may write events and its own producers' sequences, and read nothing of what others wrote; such a key may
 * stand in a page. `read`: may read all of its tenant. `metrics`: may read what is counted of it, and no event, for whoever
 * watches. `admin`: all of these, and what changes how the edge works.
 */
export const scopes = ['publish', 'read', 'metrics', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Any of these is enough; `anyone` needs no key. */
export type Access = readonly Scope[] | 'anyone';

const writers: Access = ['publish', 'admin'];
const readers: Access = ['read', 'admin'];
const admins: Access = ['admin'];

/** By method and path, in Hono's words. What is not in it is for admins. */
export const accessTable: Readonly<Record<string, Access>> = {
  'POST /events': writers,
  'GET /events': readers,
  'GET /events/live': readers,
  'GET /events/type/:type': readers,
  'GET /events/correlation/:id': readers,
  'GET /events/:id': readers,
  'GET /events/:id/explain': readers,
  'GET /trace/:id': readers,
  'POST /sync/push': writers,
  // A producer's id is its secret: it stands in no event, and who does not know it cannot ask.
  'GET /sync/head': ['publish', 'read', 'admin'],
  'GET /sync/producers/:producer': ['publish', 'read', 'admin'],
  'DELETE /sync/producers/:producer': writers,
  'GET /sync/pull': readers,
  'GET /windows': readers,
  'GET /windows/events-per-minute': readers,
  'POST /live-tokens': readers,
  'GET /rules': readers,
  'GET /rules/:id': readers,
  'PUT /rules/:id': admins,
  'DELETE /rules/:id': admins,
  'GET /keys': admins,
  'POST /keys': admins,
  'DELETE /keys/:id': admins,
  'GET /shards': admins,
  'POST /shards': admins,
  'GET /metrics': ['metrics', ...readers],
  'GET /page-keys': 'anyone',
  'GET /health': 'anyone',
  'GET /openapi.json': 'anyone',
  'GET /docs': 'anyone',
};

export function accessTo(route: string): Access {
  return accessTable[route] ?? admins;
}
