import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { type EmotionRow, emotionsQuery } from '@/api/counts';
import { TimeFigure } from '@/components/chart/TimeFigure';
import type { Annotation, Threshold, TimeSpan } from '@/components/chart/types';
import { Panel } from '@/components/Panel';
import { QueryView } from '@/components/QueryView';
import { alignRows } from '@/lib/buckets';
import { useSlowClock } from '@/lib/clock';
import { type Buckets, PERIOD_NAMES } from '@/lib/timeRange';
import { emotionData } from './shares';
import './emotions.css';

interface EmotionTrendProps {
  buckets: Buckets;
  phrase: string;
  source: string | null;
  /** The whole time, of which the buckets show a part while it is zoomed. */
  whole: TimeSpan;
  zoom: TimeSpan | null;
  onZoom: (span: TimeSpan | null) => void;
  alerts: readonly Annotation[];
  thresholds: readonly Threshold[];
}

export function EmotionTrend({ buckets, source, ...rest }: EmotionTrendProps) {
  const query = useQuery(emotionsQuery(buckets, source));
  const shown = query.data?.buckets ?? buckets;
  return (
    <Panel title="Emotions over time" note={`share of the posts per ${PERIOD_NAMES[shown.period]}`}>
      <QueryView query={query}>
        {({ emotions, rows }) => <Figure emotions={emotions} rows={rows} shown={shown} {...rest} />}
      </QueryView>
    </Panel>
  );
}

interface FigureProps extends Omit<EmotionTrendProps, 'buckets' | 'source'> {
  emotions: readonly string[];
  rows: readonly EmotionRow[];
  shown: Buckets;
}

function Figure({ emotions, rows, shown, alerts, thresholds, ...rest }: FigureProps) {
  const nowMs = useSlowClock();
  const data = useMemo(
    () => ({
      ...emotionData(emotions, alignRows(rows, shown, nowMs), shown.stepMs),
      annotations: alerts,
      thresholds,
    }),
    [emotions, rows, shown, nowMs, alerts, thresholds],
  );
  const isEmpty = data.series.every(({ values }) => values.every((value) => value === null));
  return (
    <TimeFigure
      {...rest}
      label="Emotions over time"
      data={data}
      summary={summarize(data.series, rest.zoom === null ? rest.phrase : 'time that is shown')}
      note={isEmpty ? 'No posts in this time. New ones will show here.' : undefined}
      testId="emotion-chart"
    />
  );
}

/** The most frequent ones in a sentence, for those who do not see the lines. */
function summarize(series: readonly { name: string; readout?: string }[], phrase: string): string {
  if (series.length === 0) return `No posts in the ${phrase}.`;
  const most = series.slice(0, 3).map(({ name, readout }) => `${name} ${readout}`);
  return `Most frequent in the ${phrase}: ${most.join(', ')}.`;
}
