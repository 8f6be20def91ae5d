import type { ChartSeries } from './types';

/**
 * Stacked bars are drawn as overlapping ones, the tallest first: all series, then all but the first, and the last alone.
 * Where nothing is known of a time there is no bar.
 */
export function stack(series: readonly ChartSeries[], count: number): (number | null)[][] {
  const heights: (number | null)[][] = [];
  let below: (number | null)[] = new Array<null>(count).fill(null);
  for (const { values } of series.toReversed()) {
    below = below.map((height, index) => {
      const value = values[index] ?? null;
      return value === null ? height : (height ?? 0) + value;
    });
    heights.unshift(below);
  }
  return heights;
}

/** What a legend says of the whole range: the sum of bars, the last value of a line. */
export function readout(kind: 'stacked' | 'lines', values: ChartSeries['values']): number | null {
  const known = values.filter((value) => value !== null);
  if (kind === 'lines') return known.at(-1) ?? null;
  return known.reduce((sum, value) => sum + value, 0);
}
