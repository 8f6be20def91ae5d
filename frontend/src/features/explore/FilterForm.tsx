import type { Sentiment } from '@/api/model';
import { emotionEmoji, emotionName } from '@/components/emotions';
import { Field } from '@/components/Field';
import { Segmented } from '@/components/Segmented';
import { ConfidenceRange } from './ConfidenceRange';
import type { Filters } from './filters';
import { SourceField } from './SourceField';
import { TimeRange } from './TimeRange';
import { useEmotionNames } from './useEmotionNames';

const SENTIMENT_SEGMENTS = [
  { value: 'all', label: 'All' },
  { value: 'negative', label: 'Negative' },
  { value: 'neutral', label: 'Neutral' },
  { value: 'positive', label: 'Positive' },
] as const;

export interface FilterProps {
  filters: Filters;
  onChange: (changes: Partial<Filters>, typed?: string) => void;
}

/** Everything but the text. What is changed applies at once. */
export function FilterForm({ filters, onChange }: FilterProps) {
  return (
    <>
      <div className="field">
        <span className="field-label" aria-hidden="true">
          Sentiment
        </span>
        <Segmented<Sentiment | 'all'>
          legend="Sentiment"
          segments={SENTIMENT_SEGMENTS}
          value={filters.sentiment ?? 'all'}
          onChange={(value) => onChange({ sentiment: value === 'all' ? null : value })}
        />
      </div>
      <EmotionField filters={filters} onChange={onChange} />
      <SourceField filters={filters} onChange={onChange} />
      <ConfidenceRange filters={filters} onChange={onChange} />
      <TimeRange filters={filters} onChange={onChange} />
    </>
  );
}

function EmotionField({ filters, onChange }: FilterProps) {
  const names = useEmotionNames(filters.emotion);
  return (
    <Field label="Emotion">
      {(control) => (
        <select
          {...control}
          className="input"
          value={filters.emotion?.toLowerCase() ?? ''}
          onChange={(event) => onChange({ emotion: event.target.value || null })}
        >
          <option value="">All</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {emotionEmoji(name)} {emotionName(name)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
