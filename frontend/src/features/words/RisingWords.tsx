import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { SENTIMENTS, type Sentiment } from '@/api/model';
import { Panel } from '@/components/Panel';
import { QueryView, State } from '@/components/QueryView';
import { Segmented } from '@/components/Segmented';
import { capitalize } from '@/lib/format';
import type { TimeRange } from '@/lib/timeRange';
import { risingQuery, type WordKind } from './risingQuery';
import { WordList } from './WordList';
import './words.css';

const KINDS = [
  { value: 'all', label: 'All' },
  { value: 'words', label: 'Words' },
  { value: 'hashtags', label: 'Hashtags' },
] as const;

const FEELINGS = [
  { value: 'all', label: 'All feelings' },
  ...SENTIMENTS.map((value) => ({ value, label: capitalize(value) })),
] as const;

interface RisingWordsProps {
  range: TimeRange;
  source: string | null;
}

/** What people write of more than before. A word leads to its posts. */
export function RisingWords({ range, source }: RisingWordsProps) {
  const [kind, setKind] = useState<WordKind>('all');
  const [sentiment, setSentiment] = useState<Sentiment | null>(null);
  const query = useQuery(risingQuery({ minutes: range.minutes, source, kind, sentiment }));
  return (
    <Panel
      title="On the rise"
      note={`${range.phrase}, against before`}
      actions={
        <>
          <Segmented legend="Kind of word" segments={KINDS} value={kind} onChange={setKind} />
          <select
            className="select"
            aria-label="Words of posts that are"
            value={sentiment ?? 'all'}
            onChange={(event) =>
              setSentiment(SENTIMENTS.find((each) => each === event.target.value) ?? null)
            }
          >
            {FEELINGS.map(({ value, label }) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </>
      }
    >
      <QueryView query={query}>
        {({ words, sampled }) =>
          words.length === 0 ? (
            <State title="Nothing rises" text="No word is in clearly more posts than before." />
          ) : (
            <WordList words={words} source={source} share={sampled.share} />
          )
        }
      </QueryView>
    </Panel>
  );
}
