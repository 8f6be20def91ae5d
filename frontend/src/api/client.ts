import createClient from 'openapi-fetch';
import { readFields, readList, readString } from '@/lib/read';
import type { paths } from './schema';

/** What is wrong with one field of what was sent. */
export interface FieldError {
  field: string;
  message: string;
}

/** A request that brought no usable answer; `message` can be shown to a person. */
export class ApiError extends Error {
  /** The answer's status; null where there was no answer. */
  readonly status: number | null;
  /** With 422, the fields that are wrong, where the server names them. */
  readonly errors: readonly FieldError[];

  constructor(
    message: string,
    status: number | null = null,
    options?: ErrorOptions & { errors?: readonly FieldError[] },
  ) {
    super(message, options);
    this.status = status;
    this.errors = options?.errors ?? [];
  }
}

/** Whether the server says that what was asked for does not exist: asking again would not change that. */
export const isMissing = (error: Error | null): boolean =>
  error instanceof ApiError && error.status === 404;

/** Whether the server asks for a key. */
export const isUnauthorized = (error: Error | null): boolean =>
  error instanceof ApiError && error.status === 401;

const TIMEOUT_MS = 15_000;
/** Its database is away, and this is what it said so many seconds ago. */
const STALE_HEADER = 'x-undertone-stale';
/** What a server says of these is for people: what they asked for, or that it has no time for them. Others are faults. */
const FOR_PEOPLE = new Set([400, 401, 403, 404, 409, 413, 422, 424, 429, 503]);

/** The API with the types of its OpenAPI document: `answer(api.GET('/api/health'))`. */
export const api = createClient<paths>({
  baseUrl: window.location.origin,
  headers: { accept: 'application/json' },
  fetch: (request) =>
    fetch(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT_MS)]) }),
});

interface Asked<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

interface Expectations {
  /** Whether the page has an answer already, and so needs none that the server only remembers. */
  haveData?: boolean;
  /** Statuses whose body is an answer: health says with 503 what is wrong. */
  alsoFine?: readonly number[];
}

/** The body of the answer; ApiError with a sentence where there is none that could be used. */
export async function answer<T>(
  asking: Promise<Asked<T>>,
  { haveData = false, alsoFine = [] }: Expectations = {},
): Promise<T> {
  const { data, error, response } = await asking.catch((cause: unknown) => {
    // A body that is no JSON comes from something in between, not from our server.
    if (cause instanceof SyntaxError) {
      throw new ApiError('The server sent an answer that makes no sense here.', null, { cause });
    }
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError('The server cannot be reached.', null, { cause });
  });
  if (alsoFine.includes(response.status)) return error as T;
  if (!response.ok) {
    throw new ApiError(reason(response.status, error), response.status, {
      errors: readList(readFields(error)?.errors, readFieldError) ?? [],
    });
  }
  if (haveData && response.headers.has(STALE_HEADER)) {
    throw new ApiError('The database does not answer.', response.status);
  }
  return data as T;
}

function reason(status: number, body: unknown): string {
  const detail = FOR_PEOPLE.has(status) ? readString(readFields(body)?.detail) : null;
  return detail ?? `The server answered with an error (${status}).`;
}

function readFieldError(value: unknown): FieldError | null {
  const fields = readFields(value);
  const field = readString(fields?.field);
  const message = readString(fields?.message);
  return field === null || message === null ? null : { field, message };
}
