import { useSlowClock } from '@/lib/clock';
import { formatAge, formatFull } from '@/lib/format';

/** How long ago an instant was, kept current; the full date on hover. */
export function Age({ ms }: { ms: number }) {
  const nowMs = useSlowClock();
  return (
    <time dateTime={new Date(ms).toISOString()} title={formatFull(ms)}>
      {formatAge(ms, nowMs)}
    </time>
  );
}
