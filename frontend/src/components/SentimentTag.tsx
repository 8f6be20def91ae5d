import type { Sentiment } from '@/api/model';
import { capitalize } from '@/lib/format';
import { Icon } from './Icon';
import './sentiment.css';

/** The sentiment in colour, shape and word; `children` may add to the word. */
export function SentimentTag({ of, children }: { of: Sentiment; children?: React.ReactNode }) {
  return (
    <span className={`sentiment sentiment-${of}`}>
      <Icon name={of} />
      {capitalize(of)}
      {children}
    </span>
  );
}
