import { SENTIMENTS, type Sentiment } from '@/api/model';
import { type QuickRange, quickRange } from './quickRanges';

/** What is searched for. Null: not filtered by. Instants are epoch milliseconds, confidences run from 0 to 1. */
export interface Filters {
  search: string | null;
  source: string | null;
  sentiment: Sentiment | null;
  emotion: string | null;
  minConfidence: number | null;
  maxConfidence: number | null;
  /** A span that ends now; then there is no `fromMs` and no `toMs`. */
  range: QuickRange | null;
  fromMs: number | null;
  toMs: number | null;
}

export const NO_FILTERS: Filters = {
  search: null,
  source: null,
  sentiment: null,
  emotion: null,
  minConfidence: null,
  maxConfidence: null,
  range: null,
  fromMs: null,
  toMs: null,
};

/** What the API takes; a longer text would be refused. */
export const MAX_SEARCH_CHARS = 200;
export const MAX_NAME_CHARS = 50;

/** The filters' names in the address: those of the API, and `range` for a span that ends now. */
const NAMES: Record<keyof Filters, string> = {
  search: 'search',
  source: 'source',
  sentiment: 'sentiment',
  emotion: 'emotion',
  minConfidence: 'min_confidence',
  maxConfidence: 'max_confidence',
  range: 'range',
  fromMs: 'start_date',
  toMs: 'end_date',
};

interface Understood {
  filters: Filters;
  /** A sentence for each parameter that makes no sense, and so is ignored. */
  notes: string[];
}

/** The filters in an address. Somebody may have written it by hand: what cannot be read is ignored, and noted. */
export function readFilters(params: URLSearchParams): Understood {
  const notes: string[] = [];
  const read = <T>(key: keyof Filters, parse: (text: string) => T | null, expected: string) => {
    const text = params.get(NAMES[key]);
    if (text === null || text === '') return null;
    const value = parse(text);
    if (value === null) notes.push(`${NAMES[key]} “${shortened(text)}” is ignored: ${expected}.`);
    return value;
  };
  const filters: Filters = {
    search: read('search', textOf(MAX_SEARCH_CHARS), `at most ${MAX_SEARCH_CHARS} characters`),
    source: read('source', textOf(MAX_NAME_CHARS), `at most ${MAX_NAME_CHARS} characters`),
    sentiment: read('sentiment', sentimentOf, `it can be ${SENTIMENTS.join(', ')}`),
    emotion: read('emotion', textOf(MAX_NAME_CHARS), `at most ${MAX_NAME_CHARS} characters`),
    minConfidence: read('minConfidence', confidenceOf, 'it goes from 0 to 1'),
    maxConfidence: read('maxConfidence', confidenceOf, 'it goes from 0 to 1'),
    range: read('range', quickRange, 'there is no such time range'),
    fromMs: read('fromMs', instantOf, 'a time looks like 2026-01-31T12:00:00Z'),
    toMs: read('toMs', instantOf, 'a time looks like 2026-01-31T12:00:00Z'),
  };
  return { filters: withoutContradictions(filters, notes), notes };
}

function withoutContradictions(filters: Filters, notes: string[]): Filters {
  const clean = { ...filters };
  const { minConfidence, maxConfidence, range, fromMs, toMs } = filters;
  if (minConfidence !== null && maxConfidence !== null && minConfidence > maxConfidence) {
    notes.push('Both confidences are ignored: the least is above the greatest.');
    clean.minConfidence = clean.maxConfidence = null;
  }
  if (range !== null && (fromMs !== null || toMs !== null)) {
    notes.push('range is ignored: start_date and end_date say when.');
    clean.range = null;
  }
  if (fromMs !== null && toMs !== null && fromMs >= toMs) {
    notes.push('Both dates are ignored: the start is not before the end.');
    clean.fromMs = clean.toMs = null;
  }
  return clean;
}

/** The address parameters of the filters, in a fixed order: the same filters make the same text. */
export function writeFilters(filters: Filters): URLSearchParams {
  const params = new URLSearchParams();
  for (const [key, name] of Object.entries(NAMES) as [keyof Filters, string][]) {
    const value = filters[key];
    if (value === null) continue;
    params.set(name, key === 'fromMs' || key === 'toMs' ? isoOf(value as number) : String(value));
  }
  return params;
}

export const FILTER_NAMES: ReadonlySet<string> = new Set(Object.values(NAMES));

/** How many things are filtered by; a time range is one, and so is a range of confidences. */
export function countFilters(filters: Filters): number {
  const { minConfidence, maxConfidence, range, fromMs, toMs } = filters;
  const hasTime = range !== null || fromMs !== null || toMs !== null;
  const hasConfidence = minConfidence !== null || maxConfidence !== null;
  const others = [filters.search, filters.source, filters.sentiment, filters.emotion];
  return others.filter((each) => each !== null).length + Number(hasTime) + Number(hasConfidence);
}

const isoOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);

const sentimentOf = (text: string): Sentiment | null =>
  SENTIMENTS.find((sentiment) => sentiment === text.toLowerCase()) ?? null;

/** PostgreSQL, and so the API, knows no NUL. The API counts code points. */
const textOf = (maxChars: number) => (text: string) =>
  [...text].length <= maxChars && !text.includes('\0') ? text : null;

const DECIMAL = /^(?:\d+\.?\d*|\.\d+)$/;

function confidenceOf(text: string): number | null {
  const value = DECIMAL.test(text) ? Number(text) : Number.NaN;
  return value >= 0 && value <= 1 ? value : null;
}

const WRITTEN_TIME =
  /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;
const HAS_ZONE = /(?:Z|[+-]\d{2}:\d{2})$/;

/** As the API reads it: without a zone it is UTC, and years are those that it takes. */
function instantOf(text: string): number | null {
  if (!WRITTEN_TIME.test(text)) return null;
  const ms = Date.parse(text.includes('T') && !HAS_ZONE.test(text) ? `${text}Z` : text);
  const year = new Date(ms).getUTCFullYear();
  return year >= 1900 && year <= 9900 ? ms : null;
}
