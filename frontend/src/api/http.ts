import { readFields, readString } from '@/lib/read';

/** A request that brought no usable answer; `message` can be shown to a person. */
export class ApiError extends Error {}

const TIMEOUT_MS = 15_000;

interface Reading<T> {
  read: (body: unknown) => T | null;
  params?: Record<string, string>;
  signal?: AbortSignal;
  /** Health answers 503 with a body that says what is wrong. */
  acceptErrorBody?: boolean;
  /** Whether the page has an answer already, and so needs none that the server only remembers. */
  haveData?: boolean;
}

/** Its database is away, and this is what it said so many seconds ago. */
const STALE_HEADER = 'x-undertone-stale';

async function request(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, headers: { accept: 'application/json' } });
  } catch (cause) {
    throw new ApiError('The server cannot be reached.', { cause });
  }
}

/** What an overloaded server, or one whose database is away, says of itself is for people; the rest is not. */
function reason(status: number, body: unknown): string {
  const detail = status === 429 || status === 503 ? readString(readFields(body)?.detail) : null;
  return detail ?? `The server answered with an error (${status}).`;
}

/** GET `path` on our own origin, and the checked body. */
export async function getJson<T>(path: string, options: Reading<T>): Promise<T> {
  const query = new URLSearchParams(options.params).toString();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  const response = await request(query ? `${path}?${query}` : path, signal);
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok && !options.acceptErrorBody) throw new ApiError(reason(response.status, body));
  if (options.haveData && response.headers.has(STALE_HEADER)) {
    throw new ApiError('The database does not answer.');
  }
  const value = options.read(body);
  if (value === null) throw new ApiError('The server sent an answer that makes no sense here.');
  return value;
}
