import { useState } from 'react';
import type { Bucket } from '@/api/model';
import { Scroller } from '@/components/Scroller';
import { capitalize, formatCount, formatTime } from '@/lib/format';

/** The same numbers as text, newest first. Rendered only when opened: it is rarely needed and changes constantly. */
export function ChartTable({ buckets, period }: { buckets: Bucket[]; period: string }) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details className="chart-table" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>Show as a table</summary>
      {isOpen && (
        <Scroller label="Sentiment table" className="chart-table-scroll">
          <table>
            <thead>
              <tr>
                {[capitalize(period), 'Positive', 'Neutral', 'Negative', 'Total'].map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {buckets.toReversed().map((bucket) => (
                <tr key={bucket.startMs}>
                  <th scope="row">{formatTime(bucket.startMs)}</th>
                  <td>{formatCount(bucket.positive)}</td>
                  <td>{formatCount(bucket.neutral)}</td>
                  <td>{formatCount(bucket.negative)}</td>
                  <td>{formatCount(bucket.total)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scroller>
      )}
    </details>
  );
}
