import { useQuery } from '@tanstack/react-query';
import { sourcesQuery } from '@/api/counts';
import { Panel } from '@/components/Panel';
import { QueryView, State } from '@/components/QueryView';
import { Scroller } from '@/components/Scroller';
import type { TimeRange } from '@/lib/timeRange';
import { SourceRow } from './SourceRow';
import './sources.css';

interface SourcesProps {
  range: TimeRange;
  source: string | null;
  onSource: (source: string | null) => void;
}

/** Where the posts come from, and how each of the sources feels. Choosing one shows the page of that one alone. */
export function Sources({ range, source, onSource }: SourcesProps) {
  const query = useQuery(sourcesQuery(range.minutes));
  return (
    <Panel title="By source" note={range.phrase}>
      <QueryView query={query}>
        {({ sources, others, total }) =>
          total === 0 ? (
            <State title="No posts in this time" text="Sources show as their posts arrive." />
          ) : (
            <Scroller label="Sources" className="sources-scroll">
              <ul className="sources" data-testid="sources">
                {sources.map((row) => (
                  <SourceRow
                    key={row.source}
                    name={row.source}
                    row={row}
                    isChosen={row.source === source}
                    onChoose={() => onSource(row.source === source ? null : row.source)}
                  />
                ))}
                {others !== null && <SourceRow name={`${others.sources} others`} row={others} />}
              </ul>
            </Scroller>
          )
        }
      </QueryView>
    </Panel>
  );
}
