const NBSP = '\u00a0';

/** Three digits, as many as a person compares. */
const shortFormat = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const wholeFormat = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** "0.42", "12.3", "1,234" */
export const formatShort = (value: number): string =>
  Math.abs(value) >= 100 ? wholeFormat.format(value) : shortFormat.format(value);

/** "0.8 ms", "12 ms", "1.2 s" */
export function formatMs(ms: number): string {
  if (ms >= 1_000) return `${formatShort(ms / 1_000)}${NBSP}s`;
  return `${ms >= 10 ? wholeFormat.format(ms) : shortFormat.format(ms)}${NBSP}ms`;
}

export const formatRate = (perSecond: number): string => `${formatShort(perSecond)}${NBSP}/s`;

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** "512 MiB", "7.6 GiB" */
export function formatBytes(bytes: number): string {
  const step = Math.min(
    BYTE_UNITS.length - 1,
    bytes < 1 ? 0 : Math.floor(Math.log(bytes) / Math.log(1024)),
  );
  return `${shortFormat.format(bytes / 1024 ** step)}${NBSP}${BYTE_UNITS[step]}`;
}
