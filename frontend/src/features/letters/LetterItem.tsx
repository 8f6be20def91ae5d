import type { LetterSummary } from '@/api/schema';
import { Age } from '@/components/Age';
import { plural } from '@/lib/format';
import { readInstant } from '@/lib/read';
import type { Asked } from './act';

interface LetterItemProps {
  letter: LetterSummary;
  onOpen: () => void;
  /** null: we may only look. */
  onAsk: ((asked: Asked) => void) | null;
}

/** What tells letters apart, for people and in the names of their buttons. */
const nameOf = ({ post_id, id }: LetterSummary): string =>
  post_id === '' ? `letter ${id}` : `post ${post_id}`;

export function LetterItem({ letter, onOpen, onAsk }: LetterItemProps) {
  const { reason, error, content, source, deliveries, obstacle } = letter;
  const name = nameOf(letter);
  const choice = { ids: [letter.id] };
  return (
    <li className="letter" data-testid="letter" data-letter-id={letter.id} data-reason={reason}>
      <p className="letter-error">
        <strong>{reason}</strong> {error}
      </p>
      {content !== '' && <p className="letter-content">{content}</p>}
      <p className="letter-meta">
        <span>{name}</span>
        {source !== '' && <span>{source}</span>}
        <Age ms={readInstant(letter.buried_at) ?? 0} />
        <span>{plural(deliveries, 'attempt')}</span>
        <button
          type="button"
          className="link-button"
          aria-label={`Show ${name} whole`}
          onClick={onOpen}
        >
          Show
        </button>
        {onAsk !== null && obstacle === null && (
          <button
            type="button"
            className="link-button"
            aria-label={`Publish again: ${name}`}
            onClick={() => onAsk({ act: 'replay', choice, what: name })}
          >
            Publish again
          </button>
        )}
        {onAsk !== null && (
          <button
            type="button"
            className="link-button"
            aria-label={`Drop ${name}`}
            onClick={() => onAsk({ act: 'drop', choice, what: name })}
          >
            Drop
          </button>
        )}
      </p>
    </li>
  );
}
