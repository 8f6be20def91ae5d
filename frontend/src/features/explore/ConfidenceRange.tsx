import { useId } from 'react';
import { Icon } from '@/components/Icon';
import { useDraft } from '@/lib/useDraft';
import type { FilterProps } from './FilterForm';
import { fractionOf, percentText } from './percent';

/** How sure the sentiment model was, in per cent. What makes no sense is told, and not searched for. */
export function ConfidenceRange({ filters, onChange }: FilterProps) {
  const noteId = useId();
  const held = join(percentText(filters.minConfidence), percentText(filters.maxConfidence));
  // Both together: whether one makes sense depends on the other.
  const draft = useDraft(held, (text) => {
    const [minConfidence, maxConfidence] = split(text).map(fractionOf);
    if (problemOf(...split(text)) !== null) return held;
    onChange(
      { minConfidence: minConfidence ?? null, maxConfidence: maxConfidence ?? null },
      'confidence',
    );
    return join(percentText(minConfidence ?? null), percentText(maxConfidence ?? null));
  });
  const [minText, maxText] = split(draft.text);
  const problem = problemOf(minText, maxText);
  const fields = [
    {
      name: 'From',
      text: minText,
      placeholder: '0',
      joined: (text: string) => join(text, maxText),
    },
    {
      name: 'To',
      text: maxText,
      placeholder: '100',
      joined: (text: string) => join(minText, text),
    },
  ];
  return (
    <fieldset className="field">
      <legend className="field-label">Confidence</legend>
      <div className="explore-range">
        {fields.map(({ name, text, placeholder, joined }) => (
          <label key={name}>
            <span>{name}</span>
            <input
              className="input"
              inputMode="decimal"
              autoComplete="off"
              placeholder={placeholder}
              maxLength={8}
              aria-label={`${name} per cent`}
              aria-invalid={problem !== null || undefined}
              aria-describedby={problem === null ? undefined : noteId}
              value={text}
              onChange={(event) => draft.change(joined(event.target.value))}
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

/** No field of one line can hold a line break. */
const join = (min: string, max: string): string => `${min}\n${max}`;

function split(text: string): [string, string] {
  const [min = '', max = ''] = text.split('\n');
  return [min, max];
}

/** What is wrong with the two texts; null where they can be searched for. */
export function problemOf(minText: string, maxText: string): string | null {
  const [min, max] = [fractionOf(minText), fractionOf(maxText)];
  if (min === undefined || max === undefined) return 'A number from 0 to 100, please.';
  if (min !== null && max !== null && min > max) return '“From” is more than “To”.';
  return null;
}
