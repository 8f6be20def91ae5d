import { useQuery } from '@tanstack/react-query';
import { useId } from 'react';
import { sourceNamesQuery } from '@/api/alerts';
import { SENTIMENTS } from '@/api/model';
import { EMOTIONS } from '@/components/emotions';
import { Field } from '@/components/Field';
import { Segmented } from '@/components/Segmented';
import { capitalize } from '@/lib/format';
import type { RuleDraft, RuleErrors } from './ruleForm';

const KINDS = [
  { value: 'sentiment_ratio', label: 'Sentiment' },
  { value: 'emotion_ratio', label: 'Emotion' },
  { value: 'volume', label: 'Volume' },
] as const;
const KIND_HINTS = {
  sentiment_ratio: 'The share of posts with one sentiment.',
  emotion_ratio: 'The share of posts that show one emotion.',
  volume: 'How many posts come.',
} as const;

interface RuleFieldsProps {
  draft: RuleDraft;
  errors: RuleErrors;
  webhooks: string[];
  onChange: (draft: RuleDraft) => void;
}

export function RuleFields({ draft, errors, webhooks, onChange }: RuleFieldsProps) {
  const set = (changes: Partial<RuleDraft>) => onChange({ ...draft, ...changes });
  const isRatio = draft.kind !== 'volume';
  return (
    <>
      <Field label="Name" error={errors.name}>
        {(control) => (
          <input
            {...control}
            className="input"
            value={draft.name}
            maxLength={100}
            autoComplete="off"
            onChange={({ target }) => set({ name: target.value })}
          />
        )}
      </Field>
      <div className="field">
        <span className="field-label" aria-hidden="true">
          What it counts
        </span>
        <Segmented
          legend="What it counts"
          segments={KINDS}
          value={draft.kind}
          onChange={(kind) => set({ kind })}
        />
        <p className="field-hint">{KIND_HINTS[draft.kind]}</p>
      </div>
      <div className="rule-row">
        <Matching draft={draft} errors={errors} set={set} />
        <Field
          label={isRatio ? 'Limit, in per cent' : 'Limit, in posts'}
          hint={isRatio ? 'Of the posts in the window.' : 'In the window.'}
          error={errors.threshold}
        >
          {(control) => (
            <NumberInput
              control={control}
              value={draft.threshold}
              onChange={(threshold) => set({ threshold })}
            />
          )}
        </Field>
      </div>
      <div className="rule-row">
        <Field label="Window, in minutes" hint="1 to 1,440." error={errors.window_minutes}>
          {(control) => (
            <NumberInput
              control={control}
              value={draft.windowMinutes}
              onChange={(windowMinutes) => set({ windowMinutes })}
            />
          )}
        </Field>
        {isRatio && (
          <Field
            label="Least number of posts"
            hint="Fewer in the window say nothing."
            error={errors.min_posts}
          >
            {(control) => (
              <NumberInput
                control={control}
                value={draft.minPosts}
                onChange={(minPosts) => set({ minPosts })}
              />
            )}
          </Field>
        )}
      </div>
      <div className="rule-row">
        <SourceField draft={draft} errors={errors} set={set} />
        <Field
          label="With the words"
          hint="A word, a phrase or a #hashtag; empty: any."
          error={errors.keyword}
        >
          {(control) => (
            <input
              {...control}
              className="input"
              value={draft.keyword}
              maxLength={100}
              autoComplete="off"
              onChange={({ target }) => set({ keyword: target.value })}
            />
          )}
        </Field>
      </div>
      <WebhookChoice draft={draft} errors={errors} webhooks={webhooks} set={set} />
      <label className="check">
        <input
          type="checkbox"
          checked={draft.enabled}
          onChange={({ target }) => set({ enabled: target.checked })}
        />
        On as soon as it is saved
      </label>
    </>
  );
}

interface PartProps {
  draft: RuleDraft;
  errors: RuleErrors;
  set: (changes: Partial<RuleDraft>) => void;
}

function Matching({ draft, errors, set }: PartProps) {
  if (draft.kind === 'volume') return null;
  const isEmotion = draft.kind === 'emotion_ratio';
  const known: readonly string[] = isEmotion ? EMOTIONS : SENTIMENTS;
  const value = isEmotion ? draft.emotion : draft.sentiment;
  return (
    <Field
      label={isEmotion ? 'Emotion' : 'Sentiment'}
      error={isEmotion ? errors.emotion : errors.sentiment}
    >
      {(control) => (
        <select
          {...control}
          className="input"
          value={value}
          onChange={({ target }) =>
            set(
              isEmotion
                ? { emotion: target.value }
                : { sentiment: target.value as RuleDraft['sentiment'] },
            )
          }
        >
          {(known.includes(value) ? known : [value, ...known]).map((each) => (
            <option key={each} value={each}>
              {capitalize(each)}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

function SourceField({ draft, errors, set }: PartProps) {
  const { data: names = [] } = useQuery(sourceNamesQuery);
  const listId = useId();
  return (
    <Field label="Source" hint="As reddit; empty: all of them." error={errors.source}>
      {(control) => (
        <>
          <input
            {...control}
            className="input"
            list={listId}
            value={draft.source}
            maxLength={50}
            autoComplete="off"
            onChange={({ target }) => set({ source: target.value })}
          />
          <datalist id={listId}>
            {names.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}

function WebhookChoice({ draft, errors, webhooks, set }: PartProps & { webhooks: string[] }) {
  // One that is gone from the settings stays in sight, so that it can be taken off.
  const names = [...new Set([...webhooks, ...draft.webhooks])];
  if (names.length === 0) return null;
  return (
    <fieldset className="field">
      <legend className="field-label">Webhooks to tell</legend>
      <div className="rule-webhooks">
        {names.map((name) => (
          <label key={name} className="check">
            <input
              type="checkbox"
              checked={draft.webhooks.includes(name)}
              onChange={({ target }) =>
                set({
                  webhooks: target.checked
                    ? [...draft.webhooks, name]
                    : draft.webhooks.filter((each) => each !== name),
                })
              }
            />
            {name}
          </label>
        ))}
      </div>
      {errors.webhooks !== undefined && <p className="field-error">{errors.webhooks}</p>}
    </fieldset>
  );
}

interface NumberInputProps {
  control: object;
  value: string;
  onChange: (value: string) => void;
}

/** Text, because a number field swallows what is no number, and the wheel turns it. */
function NumberInput({ control, value, onChange }: NumberInputProps) {
  return (
    <input
      {...control}
      className="input"
      inputMode="decimal"
      autoComplete="off"
      value={value}
      onChange={({ target }) => onChange(target.value)}
    />
  );
}
