const NBSP = '\u00a0';

/** Three digits that tell something: "0.42 ms", "8.3 ms", "142 ms", "1.25 s", "3 min", "2 h", "5 days". */
export function formatDuration(ms: number): string {
  if (ms < 10) return `${trimmed(ms, 2)}${NBSP}ms`;
  if (ms < 100) return `${trimmed(ms, 1)}${NBSP}ms`;
  if (ms < 999.5) return `${Math.round(ms)}${NBSP}ms`;
  const s = ms / 1_000;
  if (s < 60) return `${trimmed(s, 2)}${NBSP}s`;
  if (s < 3_600) return `${Math.round(s / 60)}${NBSP}min`;
  if (s < 2 * 86_400) return `${Math.round(s / 3_600)}${NBSP}h`;
  return `${Math.round(s / 86_400)}${NBSP}days`;
}

const trimmed = (value: number, digits: number): string => String(Number(value.toFixed(digits)));
