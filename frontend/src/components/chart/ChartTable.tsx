import { useState } from 'react';
import { Scroller } from '@/components/Scroller';
import { formatPoint } from './time';
import type { TimeChartData, TimeSpan } from './types';

interface ChartTableProps {
  label: string;
  data: TimeChartData;
  span: TimeSpan;
  /** A last column with the sum of the others. */
  total?: boolean | undefined;
}

/** The same numbers as text, newest first. Rendered only when opened: it is rarely needed and changes constantly. */
export function ChartTable(props: ChartTableProps) {
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details className="chart-table" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary>Show as a table</summary>
      {isOpen && <Table {...props} />}
    </details>
  );
}

function Table({ label, data, span, total }: ChartTableProps) {
  const { times, series, stepMs, format } = data;
  const text = (value: number | null | undefined) => (value == null ? '–' : format(value));
  const rows = times
    .map((ms, index) => ({ ms, values: series.map(({ values }) => values[index]) }))
    .filter(({ ms }) => ms + stepMs > span.fromMs && ms < span.toMs)
    .toReversed();
  return (
    <Scroller label={`${label}, table`} className="chart-table-scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map(({ name }) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
            {total && <th scope="col">Total</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ ms, values }) => (
            <tr key={ms}>
              <th scope="row">{formatPoint(ms, stepMs, span.toMs - span.fromMs)}</th>
              {values.map((value, index) => (
                <td key={series[index]?.name}>{text(value)}</td>
              ))}
              {total && <td>{text(values.reduce((sum: number, one) => sum + (one ?? 0), 0))}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroller>
  );
}
