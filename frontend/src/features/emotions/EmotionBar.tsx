import { emotionEmoji, emotionName } from '@/components/emotions';
import { formatCount, formatPercent, formatPoints } from '@/lib/format';
import type { EmotionShare } from './shares';

/** Bars are relative to the most frequent emotion, or the rare ones would all look the same. */
export function EmotionBar({ row, most }: { row: EmotionShare; most: number }) {
  const { label, count, fraction, points } = row;
  return (
    <li className="emotion" data-testid={`emotion-${label}`} data-value={count}>
      <span className="emotion-name">
        <span className="emoji" aria-hidden="true">
          {emotionEmoji(label)}
        </span>{' '}
        {emotionName(label)}
      </span>
      <span className="emotion-bar" aria-hidden="true">
        <span className="emotion-fill" style={{ translate: `${(fraction / most - 1) * 100}%` }} />
      </span>
      <span className="emotion-count">
        {formatCount(count)}
        <span className="sr-only"> posts</span>
      </span>
      <span className="emotion-share">{formatPercent(fraction)}</span>
      <span className="emotion-change">
        {points !== null && Math.round(points) !== 0 && formatPoints(points)}
      </span>
    </li>
  );
}
