import { SENTIMENTS } from '@/api/model';
import type { OtherSources, SourceCounts } from '@/api/schema';
import { formatCount, formatPercent, share } from '@/lib/format';

interface SourceRowProps {
  name: string;
  row: SourceCounts | OtherSources;
  isChosen?: boolean;
  /** Absent where there is nothing to choose. */
  onChoose?: () => void;
}

/** The bar is as long as the share of the posts, and divided by how they feel. */
export function SourceRow({ name, row, isChosen = false, onChoose }: SourceRowProps) {
  const feelings = SENTIMENTS.map(
    (sentiment) => `${formatPercent(share(row[sentiment], row.total))} ${sentiment}`,
  ).join(', ');
  const content = (
    <>
      <span className="source-name">{name}</span>
      <span className="source-count">
        {formatCount(row.total)}
        <span className="sr-only"> posts,</span>
      </span>
      <span className="source-share">{formatPercent(row.share / 100)}</span>
      <span className="source-bar" aria-hidden="true">
        <span className="source-fill" style={{ width: `${row.share}%` }}>
          {SENTIMENTS.map((sentiment) => (
            <span
              key={sentiment}
              className={`fill-${sentiment}`}
              style={{ flexGrow: row[sentiment] }}
            />
          ))}
        </span>
      </span>
      <span className="sr-only">: {feelings}</span>
    </>
  );
  return (
    <li data-testid="source" data-source={name} data-value={row.total} title={feelings}>
      {onChoose === undefined ? (
        <span className="source">{content}</span>
      ) : (
        <button type="button" className="source" aria-pressed={isChosen} onClick={onChoose}>
          {content}
        </button>
      )}
    </li>
  );
}
