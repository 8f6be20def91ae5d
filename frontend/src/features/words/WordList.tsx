import { Link } from 'react-router';
import { SENTIMENTS } from '@/api/model';
import type { RisingWord } from '@/api/schema';
import { formatPercent, plural, share as shareOf } from '@/lib/format';

interface WordListProps {
  words: readonly RisingWord[];
  source: string | null;
  /** Of the posts that were counted; 1: all of them. */
  share: number;
}

export function WordList({ words, source, share }: WordListProps) {
  return (
    <>
      <ul className="words" data-testid="rising-words">
        {words.map((row) => (
          <WordItem key={`${row.kind} ${row.word}`} row={row} source={source} />
        ))}
      </ul>
      {share < 1 && (
        <p className="words-note">Counted in {formatPercent(share)} of the posts, evenly chosen.</p>
      )}
    </>
  );
}

function WordItem({ row, source }: { row: RisingWord; source: string | null }) {
  const { word, posts, share_percent, previous_share_percent, is_new, sentiment } = row;
  const search = new URLSearchParams({ search: word, ...(source !== null && { source }) });
  const all = SENTIMENTS.reduce((sum, each) => sum + sentiment[each], 0);
  const feelings = SENTIMENTS.map(
    (each) => `${formatPercent(shareOf(sentiment[each], all))} ${each}`,
  ).join(', ');
  return (
    <li className="word" data-testid="rising-word" data-word={word} title={feelings}>
      <Link to={`/explore?${search}`} className="word-link">
        {word}
      </Link>
      <span className="word-count">{plural(posts, 'post')}</span>
      <span className="word-rise">
        {is_new ? (
          'new'
        ) : (
          <>
            {formatPercent(previous_share_percent / 100)}
            <span aria-hidden="true"> → </span>
            <span className="sr-only"> before, now </span>
            {formatPercent(share_percent / 100)}
          </>
        )}
      </span>
      <span className="word-bar" aria-hidden="true">
        {SENTIMENTS.map((each) => (
          <span key={each} className={`fill-${each}`} style={{ flexGrow: sentiment[each] }} />
        ))}
      </span>
      <span className="sr-only">{feelings}</span>
    </li>
  );
}
