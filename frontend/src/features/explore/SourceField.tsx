import { useQuery } from '@tanstack/react-query';
import { useId } from 'react';
import { answer, api } from '@/api/client';
import { Field } from '@/components/Field';
import { plural } from '@/lib/format';
import { useDraft } from '@/lib/useDraft';
import type { FilterProps } from './FilterForm';
import { MAX_NAME_CHARS } from './filters';

/** The longest window that the API has: sources of long ago can still be typed. */
const WEEK_MINUTES = 7 * 24 * 60;

/** A source by its name; those of the last week are suggested. */
export function SourceField({ filters, onChange }: FilterProps) {
  const listId = useId();
  const sources = useQuery({
    queryKey: ['sources', WEEK_MINUTES],
    queryFn: ({ signal }) =>
      answer(api.GET('/api/sources', { params: { query: { minutes: WEEK_MINUTES } }, signal })),
    staleTime: 60_000,
  });
  const draft = useDraft(filters.source ?? '', (text) => {
    const source = text.trim();
    onChange({ source: source || null }, 'source');
    return source;
  });
  return (
    <Field label="Source">
      {(control) => (
        <>
          <input
            {...control}
            className="input"
            list={listId}
            placeholder="All"
            autoComplete="off"
            spellCheck={false}
            maxLength={MAX_NAME_CHARS}
            value={draft.text}
            onChange={(event) => draft.change(event.target.value)}
            onBlur={draft.commit}
            onKeyDown={(event) => event.key === 'Enter' && draft.commit()}
          />
          <datalist id={listId}>
            {sources.data?.sources.map(({ source, total }) => (
              <option key={source} value={source}>
                {plural(total, 'post')}
              </option>
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}
