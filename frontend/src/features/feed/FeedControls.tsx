import { EMOTIONS, emotionName } from '@/components/emotions';
import { Icon } from '@/components/Icon';
import { Segmented } from '@/components/Segmented';
import type { FeedFilter } from './filter';

const SEGMENTS = [
  { value: 'all', label: 'All' },
  { value: 'negative', label: 'Negative' },
  { value: 'neutral', label: 'Neutral' },
  { value: 'positive', label: 'Positive' },
] as const;

interface FeedControlsProps {
  filter: FeedFilter;
  onFilter: (filter: FeedFilter) => void;
}

export function FeedControls({ filter, onFilter }: FeedControlsProps) {
  return (
    <div className="feed-controls">
      <Segmented
        legend="Sentiment"
        segments={SEGMENTS}
        value={filter.sentiment}
        onChange={(sentiment) => onFilter({ ...filter, sentiment })}
      />
      <select
        className="select"
        aria-label="Emotion"
        value={filter.emotion ?? ''}
        onChange={(event) => onFilter({ ...filter, emotion: event.target.value || null })}
      >
        <option value="">All emotions</option>
        {EMOTIONS.map((label) => (
          <option key={label} value={label}>
            {emotionName(label)}
          </option>
        ))}
      </select>
      <label className="search">
        <Icon name="search" />
        <input
          type="search"
          aria-label="Filter the feed by text"
          placeholder="Filter by text"
          value={filter.text}
          onChange={(event) => onFilter({ ...filter, text: event.target.value })}
        />
      </label>
    </div>
  );
}
