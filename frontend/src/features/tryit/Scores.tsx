import type { LabelScore } from '@/api/schema';
import { formatScore } from './numbers';

interface ScoresProps {
  name: string;
  scores: readonly LabelScore[];
  /** What was made of them; usually, but not always, the first. */
  label: string;
}

/** Every label with its score, the greatest first. */
export function Scores({ name, scores, label }: ScoresProps) {
  const sorted = scores.toSorted((a, b) => b.score - a.score);
  return (
    <ol className="try-scores" aria-label={`${name} scores`}>
      {sorted.map((each) => (
        <li key={each.label} className={each.label === label ? 'try-chosen' : ''}>
          <span className="try-name">{each.label}</span>
          <span className="try-bar" aria-hidden="true">
            <span style={{ width: `${100 * each.score}%` }} />
          </span>
          <span className="try-score">{formatScore(each.score)}</span>
        </li>
      ))}
    </ol>
  );
}
