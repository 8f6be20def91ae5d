/** Readers for data of unknown shape: each returns what it was asked for, or null. */
export type Fields = Record<string, unknown>;

export const readFields = (value: unknown): Fields | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;

export const readString = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value : null;

/** PostgreSQL's numeric type arrives as a string in some JSON encoders. */
export function readNumber(value: unknown): number | null {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}

/** A count; what is missing or absurd counts as zero. */
export const readCount = (value: unknown): number => Math.max(0, readNumber(value) ?? 0);

const HAS_ZONE = /(?:Z|[+-]\d{2}:?\d{2})$/i;

/** An ISO 8601 instant as epoch milliseconds. Without a zone it is UTC, not the local time that Date would assume. */
export function readInstant(value: unknown): number | null {
  const text = readString(value);
  if (text === null) return null;
  const ms = Date.parse(text.includes('T') && !HAS_ZONE.test(text) ? `${text}Z` : text);
  return Number.isNaN(ms) ? null : ms;
}

export function readList<T>(value: unknown, readItem: (item: unknown) => T | null): T[] | null {
  if (!Array.isArray(value)) return null;
  return value.map(readItem).filter((item): item is T => item !== null);
}
