/** A request that brought no usable answer; `message` can be shown to a person. */
export class ApiError extends Error {}

const TIMEOUT_MS = 15_000;

interface Reading<T> {
  read: (body: unknown) => T | null;
  params?: Record<string, string>;
  signal?: AbortSignal;
  /** Health answers 503 with a body that says what is wrong. */
  acceptErrorBody?: boolean;
}

async function request(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal, headers: { accept: 'application/json' } });
  } catch (cause) {
    throw new ApiError('The server cannot be reached.', { cause });
  }
}

/** GET `path` on our own origin, and the checked body. */
export async function getJson<T>(path: string, options: Reading<T>): Promise<T> {
  const query = new URLSearchParams(options.params).toString();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  const response = await request(query ? `${path}?${query}` : path, signal);
  if (!response.ok && !options.acceptErrorBody) {
    throw new ApiError(`The server answered with an error (${response.status}).`);
  }
  const body: unknown = await response.json().catch(() => null);
  const value = options.read(body);
  if (value === null) throw new ApiError('The server sent an answer that makes no sense here.');
  return value;
}
