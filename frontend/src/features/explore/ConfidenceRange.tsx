import { useId } from 'react';
import { Icon } from '@/components/Icon';
import { useDraft } from '@/lib/useDraft';
import type { FilterProps } from './FilterForm';
import { fractionOf, percentText } from './percent';

/** How sure the sentiment model was, in per cent. What makes no sense is told, and not searched for. */
export function ConfidenceRange({ filters, onChange }: FilterProps) {
  const noteId = useId();
  const minText = percentText(filters.minConfidence);
  const maxText = percentText(filters.maxConfidence);
  const min = useDraft(minText, (text) => {
    if (problemOf(text, maxText) !== null) return minText;
    onChange({ minConfidence: fractionOf(text) ?? null });
    return percentText(fractionOf(text) ?? null);
  });
  const max = useDraft(maxText, (text) => {
    if (problemOf(minText, text) !== null) return maxText;
    onChange({ maxConfidence: fractionOf(text) ?? null });
    return percentText(fractionOf(text) ?? null);
  });
  const problem = problemOf(min.text, max.text);
  return (
    <fieldset className="field">
      <legend className="field-label">Confidence</legend>
      <div className="explore-range">
        {[
          { name: 'From', draft: min },
          { name: 'To', draft: max },
        ].map(({ name, draft }) => (
          <label key={name}>
            <span>{name}</span>
            <input
              className="input"
              inputMode="decimal"
              autoComplete="off"
              placeholder={name === 'From' ? '0' : '100'}
              maxLength={8}
              aria-label={`${name} per cent`}
              aria-invalid={problem !== null || undefined}
              aria-describedby={problem === null ? undefined : noteId}
              value={draft.text}
              onChange={(event) => draft.change(event.target.value)}
              onBlur={draft.commit}
              onKeyDown={(event) => event.key === 'Enter' && draft.commit()}
            />
            <span aria-hidden="true">%</span>
          </label>
        ))}
      </div>
      {problem !== null && (
        <p className="field-error" id={noteId} role="alert">
          <Icon name="alert" />
          {problem}
        </p>
      )}
    </fieldset>
  );
}

/** What is wrong with the two texts; null where they can be searched for. */
export function problemOf(minText: string, maxText: string): string | null {
  const [min, max] = [fractionOf(minText), fractionOf(maxText)];
  if (min === undefined || max === undefined) return 'A number from 0 to 100, please.';
  if (min !== null && max !== null && min > max) return '“From” is more than “To”.';
  return null;
}
