import { EMOTIONS } from '@/components/emotions';

export interface EmotionRow {
  label: string;
  count: number;
  fraction: number;
}

/** All emotions the model knows, and any others the server reports; most frequent first. */
export function emotionRows(counted: readonly { label: string; count: number }[]): EmotionRow[] {
  const counts = new Map(EMOTIONS.map((label) => [label, 0]));
  for (const { label, count } of counted) counts.set(label, count);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return [...counts]
    .map(([label, count]) => ({ label, count, fraction: total > 0 ? count / total : 0 }))
    .sort((a, b) => b.count - a.count);
}
