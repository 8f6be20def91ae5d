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
  const fromText = localText(filters.fromMs);
  const toText = localText(filters.toMs);
  const from = useDraft(fromText, (text) => {
    if (isTurned(text, toText)) return fromText;
    onChange({ range: null, fromMs: msOfLocal(text) });
    return localText(msOfLocal(text));
  });
  const to = useDraft(toText, (text) => {
    if (isTurned(fromText, text)) return toText;
    onChange({ range: null, toMs: msOfLocal(text) });
    return localText(msOfLocal(text));
  });
  const isWrong = isTurned(from.text, to.text);
  return (
    <div className="explore-dates">
      {[
        { name: 'From', draft: from },
        { name: 'Until', draft: to },
      ].map(({ name, draft }) => (
        <label key={name}>
          <span>{name}</span>
          <input
            type="datetime-local"
            className="input"
            aria-invalid={isWrong || undefined}
            aria-describedby={noteId}
            value={draft.text}
            onChange={(event) => draft.change(event.target.value)}
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

function isTurned(fromText: string, toText: string): boolean {
  const [fromMs, toMs] = [msOfLocal(fromText), msOfLocal(toText)];
  return fromMs !== null && toMs !== null && fromMs >= toMs;
}
