import { useQuery } from '@tanstack/react-query';
import { letterQuery } from '@/api/deadLetters';
import type { WholeLetter } from '@/api/schema';
import { Dialog } from '@/components/Dialog';
import { QueryView } from '@/components/QueryView';
import { formatFull, plural } from '@/lib/format';
import { readInstant } from '@/lib/read';
import type { Asked } from './act';

interface LetterDialogProps {
  id: string;
  /** null: we may only look. */
  onAsk: ((asked: Asked) => void) | null;
  onClose: () => void;
}

/** A letter as it was refused, every field of it. */
export function LetterDialog({ id, onAsk, onClose }: LetterDialogProps) {
  const query = useQuery(letterQuery(id));
  return (
    <Dialog title="Dead letter" shape="side" onClose={onClose}>
      <QueryView query={query}>{(letter) => <Whole letter={letter} onAsk={onAsk} />}</QueryView>
    </Dialog>
  );
}

function Whole({ letter, onAsk }: { letter: WholeLetter; onAsk: ((asked: Asked) => void) | null }) {
  const { reason, error, deliveries, obstacle, cut, fields, stream_id } = letter;
  const choice = { ids: [letter.id] };
  return (
    <div className="letter-whole" data-testid="letter-whole">
      <p className="letter-error">
        <strong>{reason}</strong> {error}
      </p>
      <dl className="letter-facts">
        <Fact name="Buried" value={formatFull(readInstant(letter.buried_at) ?? 0)} />
        <Fact name="Given to workers" value={plural(deliveries, 'time')} />
        <Fact
          name="Entry of the stream"
          value={stream_id === '' ? 'none: it was never in the stream' : stream_id}
        />
        {cut !== null && <Fact name="Cut" value={cut} />}
        <Fact name="Can be published again" value={obstacle === null ? 'yes' : `no: ${obstacle}`} />
      </dl>
      <h3>Fields</h3>
      {Object.keys(fields).length === 0 ? (
        <p className="letter-meta">There are none.</p>
      ) : (
        <dl className="letter-fields" data-testid="letter-fields">
          {Object.entries(fields).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {onAsk !== null && (
        <div className="dialog-actions">
          <button
            type="button"
            className="button"
            disabled={obstacle !== null}
            onClick={() => onAsk({ act: 'replay', choice, what: 'this letter' })}
          >
            Publish again
          </button>
          <button
            type="button"
            className="button button-danger"
            onClick={() => onAsk({ act: 'drop', choice, what: 'this letter' })}
          >
            Drop
          </button>
        </div>
      )}
    </div>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
