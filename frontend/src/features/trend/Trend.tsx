import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { sentimentQuery } from '@/api/counts';
import type { Bucket } from '@/api/model';
import { TimeFigure } from '@/components/chart/TimeFigure';
import type { Annotation, Threshold, TimeSpan } from '@/components/chart/types';
import { Panel } from '@/components/Panel';
import { QueryView } from '@/components/QueryView';
import { Segmented } from '@/components/Segmented';
import { alignRows } from '@/lib/buckets';
import { useSlowClock } from '@/lib/clock';
import { type Buckets, PERIOD_NAMES } from '@/lib/timeRange';
import { complete, type Measure, trendData } from './series';
import { summarize } from './summary';
import './trend.css';

const MEASURES = [
  { value: 'count', label: 'Posts' },
  { value: 'share', label: 'Share' },
] as const;

interface TrendProps {
  buckets: Buckets;
  phrase: string;
  source: string | null;
  /** The whole time, of which the buckets show a part while it is zoomed. */
  whole: TimeSpan;
  zoom: TimeSpan | null;
  onZoom: (span: TimeSpan | null) => void;
  alerts: readonly Annotation[];
  /** Limits of shares. */
  thresholds: readonly Threshold[];
}

export function Trend(props: TrendProps) {
  const { buckets, phrase, source, whole, zoom, onZoom, alerts, thresholds } = props;
  const [measure, setMeasure] = useState<Measure>('count');
  const query = useQuery(sentimentQuery(buckets, source));
  const shown = query.data?.buckets ?? buckets;
  const unit = measure === 'count' ? 'posts' : 'share of the posts';
  return (
    <Panel
      title="Sentiment over time"
      note={`${unit} per ${PERIOD_NAMES[shown.period]}`}
      className="trend"
      actions={
        <Segmented legend="Measure" segments={MEASURES} value={measure} onChange={setMeasure} />
      }
    >
      <QueryView query={query}>
        {({ rows }) => (
          <Figure
            rows={rows}
            shown={shown}
            measure={measure}
            {...{ phrase, whole, zoom, onZoom, alerts, thresholds }}
          />
        )}
      </QueryView>
    </Panel>
  );
}

interface FigureProps extends Omit<TrendProps, 'buckets' | 'source'> {
  rows: readonly Bucket[];
  shown: Buckets;
  measure: Measure;
}

function Figure({ rows, shown, measure, alerts, thresholds, ...rest }: FigureProps) {
  // The window moves on with the clock, also while the server brings nothing new.
  const nowMs = useSlowClock();
  const filled = useMemo(() => complete(alignRows(rows, shown, nowMs)), [rows, shown, nowMs]);
  const data = useMemo(
    () => ({
      ...trendData(filled, shown.stepMs, measure),
      annotations: alerts,
      thresholds: measure === 'share' ? thresholds : [],
    }),
    [filled, shown.stepMs, measure, alerts, thresholds],
  );
  const isEmpty = filled.every(({ total }) => total === 0);
  return (
    <TimeFigure
      {...rest}
      label="Sentiment over time"
      data={data}
      summary={summarize(filled, rest.zoom === null ? rest.phrase : 'time that is shown')}
      note={isEmpty ? 'No posts in this time. New ones will show here.' : undefined}
      total={measure === 'count'}
      testId="sentiment-chart"
    />
  );
}
