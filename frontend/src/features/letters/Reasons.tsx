import { formatCount, plural } from '@/lib/format';
import type { Asked } from './act';
import { useLetterSearch } from './useLetterSearch';

interface ReasonsProps {
  total: number;
  byReason: Record<string, number>;
  /** null: we may only look. */
  onAsk: ((asked: Asked) => void) | null;
}

/** How many of each reason: a filter, and below it what can be done with all of them. */
export function Reasons({ total, byReason, onAsk }: ReasonsProps) {
  const { reason, setReason } = useLetterSearch();
  const reasons = Object.entries(byReason);
  const count = reason === null ? total : (byReason[reason] ?? 0);
  const choice = reason === null ? ({ all: true } as const) : { reason };
  const what =
    reason === null ? `all ${plural(total, 'letter')}` : `${plural(count, 'letter')} of ${reason}`;
  return (
    <div className="reasons">
      <fieldset className="reason-filter">
        <legend className="sr-only">Reason</legend>
        <ReasonButton
          name="All"
          count={total}
          isChosen={reason === null}
          onChoose={() => setReason(null)}
        />
        {reasons.map(([name, of]) => (
          <ReasonButton
            key={name}
            name={name}
            count={of}
            isChosen={reason === name}
            onChoose={() => setReason(name)}
          />
        ))}
      </fieldset>
      {onAsk !== null && (
        <div className="reason-actions">
          <button
            type="button"
            className="button"
            disabled={count === 0}
            onClick={() => onAsk({ act: 'replay', choice, what })}
          >
            Publish {reason === null ? 'all' : 'these'} again
          </button>
          <button
            type="button"
            className="button"
            disabled={count === 0}
            onClick={() => onAsk({ act: 'drop', choice, what })}
          >
            Drop {reason === null ? 'all' : 'these'}
          </button>
        </div>
      )}
    </div>
  );
}

interface ReasonButtonProps {
  name: string;
  count: number;
  isChosen: boolean;
  onChoose: () => void;
}

function ReasonButton({ name, count, isChosen, onChoose }: ReasonButtonProps) {
  return (
    <button type="button" className="reason" aria-pressed={isChosen} onClick={onChoose}>
      {name} <span>{formatCount(count)}</span>
    </button>
  );
}
