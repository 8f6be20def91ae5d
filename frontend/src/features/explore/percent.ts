/** A fraction as the text of a percentage; no fraction is no text. */
export const percentText = (fraction: number | null): string =>
  fraction === null ? '' : String(Number((fraction * 100).toFixed(4)));

const DECIMAL = /^(?:\d+\.?\d*|\.\d+)$/;

/** The fraction that a typed percentage is; null: nothing was typed; undefined: it is none. */
export function fractionOf(text: string): number | null | undefined {
  const typed = text.trim().replace(',', '.').replace(/\s*%$/, '');
  if (typed === '') return null;
  const percent = DECIMAL.test(typed) ? Number(typed) : Number.NaN;
  return percent >= 0 && percent <= 100 ? Number((percent / 100).toFixed(6)) : undefined;
}
