/** The spans for which the server announces totals, by their names in `metrics_update`. */
export const TIME_WINDOWS = [
  { value: 'last_minute', label: 'Minute', phrase: 'last minute' },
  { value: 'last_hour', label: 'Hour', phrase: 'last hour' },
  { value: 'last_24_hours', label: '24 hours', phrase: 'last 24 hours' },
] as const;
export type TimeWindow = (typeof TIME_WINDOWS)[number]['value'];

export const windowPhrase = (timeWindow: TimeWindow): string =>
  TIME_WINDOWS.find(({ value }) => value === timeWindow)?.phrase ?? '';
