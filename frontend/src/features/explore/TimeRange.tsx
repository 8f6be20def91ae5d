import { useId, useState } from 'react';
import { Icon } from '@/components/Icon';
import { Segmented } from '@/components/Segmented';
import { useDraft } from '@/lib/useDraft';
import type { FilterProps } from './FilterForm';
import { localText, localZone, msOfLocal } from './localTime';
import { QUICK_RANGES, type QuickRange, quickRangeMs } from './quickRanges';

type Choice = QuickRange | 'all' | 'custom';

const SEGMENTS = [
  ...QUICK_RANGES,
  { value: 'all', label: 'All' },
  { value: 'custom', label: 'Custom' },
] as const;

const MINUTE_MS = 60_000;

/** When the posts were written: a span that ends now, or from and to. */
export function TimeRange({ filters, onChange }: FilterProps) {
  const { range, fromMs, toMs } = filters;
  const [isCustom, setIsCustom] = useState(false);
  const isFixed = fromMs !== null || toMs !== null;
  const choice: Choice = isFixed ? 'custom' : (range ?? (isCustom ? 'custom' : 'all'));

  const choose = (next: Choice) => {
    setIsCustom(next === 'custom');
    if (next !== 'custom') {
      onChange({ range: next === 'all' ? null : next, fromMs: null, toMs: null });
    } else if (range !== null) {
      const startMs = Date.now() - quickRangeMs(range);
      onChange({ range: null, fromMs: startMs - (startMs % MINUTE_MS), toMs: null });
    }
  };
  return (
    <div className="field explore-time">
      <span className="field-label" aria-hidden="true">
        Written
      </span>
      <Segmented<Choice> legend="Written" segments={SEGMENTS} value={choice} onChange={choose} />
      {choice === 'custom' && <CustomRange filters={filters} onChange={onChange} />}
    </div>
  );
}

function CustomRange({ filters, onChange }: FilterProps) {
  const noteId = useId();
  const held = `${localText(filters.fromMs)}/${localText(filters.toMs)}`;
  // Both together: whether one makes sense depends on the other.
  const draft = useDraft(held, (text) => {
    const [fromMs = null, toMs = null] = text.split('/').map(msOfLocal);
    if (isTurned(fromMs, toMs)) return held;
    onChange({ range: null, fromMs, toMs }, 'dates');
    return `${localText(fromMs)}/${localText(toMs)}`;
  });
  const [fromText = '', toText = ''] = draft.text.split('/');
  const isWrong = isTurned(msOfLocal(fromText), msOfLocal(toText));
  const fields = [
    { name: 'From', text: fromText, joined: (text: string) => `${text}/${toText}` },
    { name: 'Until', text: toText, joined: (text: string) => `${fromText}/${text}` },
  ];
  return (
    <div className="explore-dates">
      {fields.map(({ name, text, joined }) => (
        <label key={name}>
          <span>{name}</span>
          <input
            type="datetime-local"
            className="input"
            aria-invalid={isWrong || undefined}
            aria-describedby={noteId}
            value={text}
            onChange={(event) => draft.change(joined(event.target.value))}
            onBlur={draft.commit}
          />
        </label>
      ))}
      <p id={noteId} className={isWrong ? 'field-error' : 'field-hint'}>
        {isWrong && <Icon name="alert" />}
        {isWrong ? '“From” has to be before “Until”.' : `Times of your clock (${localZone()}).`}
      </p>
    </div>
  );
}

const isTurned = (fromMs: number | null, toMs: number | null): boolean =>
  fromMs !== null && toMs !== null && fromMs >= toMs;
