const two = (number: number): string => String(number).padStart(2, '0');

/** An instant as a `datetime-local` field shows it, in the time of the browser; seconds only where there are some. */
export function localText(ms: number | null): string {
  if (ms === null) return '';
  const at = new Date(ms);
  const day = `${String(at.getFullYear()).padStart(4, '0')}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const seconds = at.getSeconds() > 0 ? `:${two(at.getSeconds())}` : '';
  return `${day}T${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
}

/** What such a field holds; null while it is empty, or has a year on its way to be typed. */
export function msOfLocal(text: string): number | null {
  // Without a zone it is local time, as it was meant.
  const ms = text === '' ? Number.NaN : new Date(text).getTime();
  const year = new Date(ms).getFullYear();
  return year >= 1900 && year <= 9900 ? ms : null;
}

/** Like "UTC+1". */
export function localZone(): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'shortOffset' }).formatToParts();
  return (parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC').replace('GMT', 'UTC');
}
