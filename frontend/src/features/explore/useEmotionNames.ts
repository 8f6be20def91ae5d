import { useQuery } from '@tanstack/react-query';
import { modelsQuery } from '@/api/modelList';
import { EMOTIONS } from '@/components/emotions';

/** What can be chosen: the labels of the model in service, or of ours while it does not answer, and what is chosen. */
export function useEmotionNames(chosen: string | null): string[] {
  const { data } = useQuery(modelsQuery);
  const labels = data?.models.find(({ role }) => role === 'emotion')?.labels ?? EMOTIONS;
  const names = new Set(labels.map((label) => label.toLowerCase()));
  // Of a model of before, or from a link: a choice that is not shown could not be seen.
  if (chosen !== null) names.add(chosen.toLowerCase());
  return [...names];
}
