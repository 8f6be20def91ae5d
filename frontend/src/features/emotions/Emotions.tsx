import { useQuery } from '@tanstack/react-query';
import { distributionQuery } from '@/api/queries';
import { Panel } from '@/components/Panel';
import { QueryView, State } from '@/components/QueryView';
import { type TimeWindow, windowPhrase } from '@/lib/timeWindow';
import { EmotionBar } from './EmotionBar';
import { emotionRows } from './rows';
import './emotions.css';

/** The server counts emotions by the hour; for the last minute the hour is the nearest it has. */
const HOURS: Record<TimeWindow, number> = { last_minute: 1, last_hour: 1, last_24_hours: 24 };

export function Emotions({ timeWindow }: { timeWindow: TimeWindow }) {
  const hours = HOURS[timeWindow];
  const query = useQuery(distributionQuery(hours));
  return (
    <Panel title="Emotions" note={windowPhrase(hours === 1 ? 'last_hour' : 'last_24_hours')}>
      <QueryView query={query}>
        {({ emotions }) => {
          const rows = emotionRows(emotions);
          const most = rows[0]?.fraction ?? 0;
          return most === 0 ? (
            <State title="No emotions yet" text="They show as soon as posts have been read." />
          ) : (
            <ul className="emotions">
              {rows.map((row) => (
                <EmotionBar key={row.label} row={row} most={most} />
              ))}
            </ul>
          );
        }}
      </QueryView>
    </Panel>
  );
}
