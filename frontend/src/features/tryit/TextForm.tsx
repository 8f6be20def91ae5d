import type { FormEvent, KeyboardEvent, RefObject } from 'react';
import { Field } from '@/components/Field';
import { plural } from '@/lib/format';
import { EXAMPLES } from './examples';

interface TextFormProps {
  field: RefObject<HTMLTextAreaElement | null>;
  typed: string;
  onType: (typed: string) => void;
  isLineByLine: boolean;
  onLineByLine: (isLineByLine: boolean) => void;
  texts: readonly string[];
  isAsking: boolean;
  onAnalyze: () => void;
  onExample: (text: string) => void;
}

export function TextForm(props: TextFormProps) {
  const { typed, texts, isLineByLine, isAsking } = props;
  const canAsk = texts.length > 0 && !isAsking;
  const submit = (event: FormEvent | KeyboardEvent) => {
    event.preventDefault();
    if (canAsk) props.onAnalyze();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) submit(event);
  };
  return (
    <form className="try-form" onSubmit={submit}>
      <Field
        label="Text"
        hint="Both models read it once, and that is all: it is not stored, not logged, and not a part of the address."
      >
        {(control) => (
          <textarea
            {...control}
            ref={props.field}
            className="input try-text"
            rows={6}
            value={typed}
            onChange={(event) => props.onType(event.target.value)}
            onKeyDown={onKeyDown}
          />
        )}
      </Field>
      <div className="try-row">
        <button type="submit" className="button button-primary" aria-disabled={!canAsk}>
          {isAsking ? 'Asking…' : 'Analyse'}
        </button>
        <span className="try-note try-keys">
          <kbd>{isApple() ? '⌘' : 'Ctrl'}</kbd> <kbd>Enter</kbd>
        </span>
        <label className="check">
          <input
            type="checkbox"
            checked={isLineByLine}
            onChange={(event) => props.onLineByLine(event.target.checked)}
          />
          Each line is a text
        </label>
        <span className="try-note try-length" data-testid="try-length">
          {isLineByLine && `${plural(texts.length, 'text')}, `}
          {plural([...typed].length, 'character')}
        </span>
      </div>
      <div className="field">
        <span className="field-label" id="try-examples">
          Examples
        </span>
        <ul className="try-examples" aria-labelledby="try-examples">
          {EXAMPLES.map((example) => (
            <li key={example}>
              <button
                type="button"
                className="try-example"
                onClick={() => props.onExample(example)}
              >
                {example}
              </button>
            </li>
          ))}
        </ul>
      </div>
    </form>
  );
}

const isApple = (): boolean => /Mac|iPhone|iPad/.test(navigator.userAgent);
