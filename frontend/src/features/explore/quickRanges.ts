const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Spans that end now, by their names in the address. */
export const QUICK_RANGES = [
  { value: '15m', label: '15 min', ms: 15 * MINUTE_MS },
  { value: '1h', label: '1 h', ms: HOUR_MS },
  { value: '24h', label: '24 h', ms: DAY_MS },
  { value: '7d', label: '7 days', ms: 7 * DAY_MS },
] as const;

export type QuickRange = (typeof QUICK_RANGES)[number]['value'];

export const quickRange = (text: string): QuickRange | null =>
  QUICK_RANGES.find(({ value }) => value === text)?.value ?? null;

export const quickRangeMs = (range: QuickRange): number =>
  QUICK_RANGES.find(({ value }) => value === range)?.ms ?? 0;
