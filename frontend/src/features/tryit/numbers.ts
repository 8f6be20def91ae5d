const NBSP = '\u00a0';

/** A probability as a percentage with a digit behind the point: neighbours differ by little. */
export function formatScore(score: number): string {
  const percent = score * 100;
  if (percent > 0 && percent < 0.1) return `<0.1${NBSP}%`;
  if (percent > 99.9 && percent < 100) return `>99.9${NBSP}%`;
  return `${percent.toFixed(1)}${NBSP}%`;
}

export const formatMs = (ms: number): string =>
  ms < 10 ? `${ms.toFixed(2)}${NBSP}ms` : `${ms.toFixed(ms < 100 ? 1 : 0)}${NBSP}ms`;
