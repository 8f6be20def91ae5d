import { useQuery } from '@tanstack/react-query';
import { sourcesQuery } from '@/api/counts';
import { Segmented } from '@/components/Segmented';
import { TIME_RANGES, type TimeRange } from '@/lib/timeRange';

interface LiveControlsProps {
  range: TimeRange;
  source: string | null;
  onRange: (id: string) => void;
  onSource: (source: string | null) => void;
}

const SEGMENTS = TIME_RANGES.map(({ id, label }) => ({ value: id, label }));

/** What the page is about: so far back, and of whom. */
export function LiveControls({ range, source, onRange, onSource }: LiveControlsProps) {
  const { data } = useQuery(sourcesQuery(range.minutes));
  const names = new Set(data?.sources.map((each) => each.source));
  if (source !== null) names.add(source);
  return (
    <div className="live-controls">
      <h2>How people feel</h2>
      <select
        className="select"
        aria-label="Source"
        value={source ?? ''}
        onChange={(event) => onSource(event.target.value || null)}
      >
        <option value="">All sources</option>
        {[...names].sort().map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <Segmented legend="Time range" segments={SEGMENTS} value={range.id} onChange={onRange} />
    </div>
  );
}
