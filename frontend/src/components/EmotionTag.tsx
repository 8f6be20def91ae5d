import { formatPercent } from '@/lib/format';
import { emotionEmoji, emotionName } from './emotions';

interface EmotionTagProps {
  /** As the model calls it, in any case. */
  of: string;
  confidence?: number | null | undefined;
}

/** The emotion in a picture and a word, and how sure the model is of it. */
export function EmotionTag({ of, confidence }: EmotionTagProps) {
  const label = of.toLowerCase();
  return (
    <span>
      <span className="emoji" aria-hidden="true">
        {emotionEmoji(label)}
      </span>{' '}
      {emotionName(label)}
      {confidence != null && ` ${formatPercent(confidence)}`}
    </span>
  );
}
