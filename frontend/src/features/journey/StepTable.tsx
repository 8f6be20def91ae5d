import type { JourneyStep } from '@/api/schema';
import { formatFull } from '@/lib/format';
import { formatDuration } from './duration';
import { type Bar, preciseMs, type Timeline, type TimelineRow } from './timeline';

const NAMES: Record<string, string> = {
  written: 'Written',
  queued: 'Queued',
  read: 'Read',
  tokenized: 'Tokenized',
  inferred_sentiment: 'Sentiment',
  inferred_emotion: 'Emotion',
  stored: 'Stored',
  pushed: 'Pushed',
};

/** The steps in words and numbers, and as bars on one axis. */
export function StepTable({ timeline }: { timeline: Timeline }) {
  const hasSplit = timeline.rows.some(({ bar }) => bar !== null && bar.split !== null);
  return (
    <div className="journey-timeline">
      <table className="journey-steps">
        <caption className="sr-only">The steps of this post, in their order</caption>
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col" className="journey-axis">
              <span className="sr-only">On the time axis</span>
              <span aria-hidden="true" className="journey-axis-ends">
                <span>0</span>
                <span>{timeline.startMs !== null && formatDuration(timeline.spanMs)}</span>
              </span>
            </th>
            <th scope="col">Took</th>
            <th scope="col">Done after</th>
          </tr>
        </thead>
        <tbody>
          {timeline.rows.map((row) => (
            <Row key={row.step.name} row={row} startMs={timeline.startMs} />
          ))}
        </tbody>
      </table>
      {hasSplit && (
        <ul className="journey-legend" aria-label="Parts of an inference">
          <li>
            <span className="journey-key journey-key-queue" aria-hidden="true" />
            waited in Triton’s queue
          </li>
          <li>
            <span className="journey-key journey-key-compute" aria-hidden="true" />
            was computed
          </li>
          <li>
            <span className="journey-key" aria-hidden="true" />
            everything else
          </li>
          <li>Queue and compute are means of single requests, as Triton reports them.</li>
        </ul>
      )}
    </div>
  );
}

function Row({ row, startMs }: { row: TimelineRow; startMs: number | null }) {
  const { step, bar, doneAfterMs } = row;
  const notes = notesOf(step);
  return (
    <>
      <tr data-testid={`step-${step.name}`}>
        <th scope="row">{NAMES[step.name] ?? step.name}</th>
        <td className="journey-axis">{bar !== null && <BarOf bar={bar} />}</td>
        <td>{step.took_ms == null ? '' : formatDuration(step.took_ms)}</td>
        <td>{doneText(step, doneAfterMs, startMs)}</td>
      </tr>
      {notes !== '' && (
        <tr className="journey-notes">
          <td colSpan={4}>{notes}</td>
        </tr>
      )}
    </>
  );
}

/** What else is known of a step, in words. */
function notesOf({ detail, queue_ms, compute_ms }: JourneyStep): string {
  const notes = [
    detail,
    queue_ms == null ? null : `queue ${formatDuration(queue_ms)}`,
    compute_ms == null ? null : `compute ${formatDuration(compute_ms)}`,
  ];
  return notes.filter(Boolean).join(' · ');
}

function doneText(step: JourneyStep, doneAfterMs: number | null, startMs: number | null): string {
  if (step.at === null) return 'not recorded';
  if (doneAfterMs !== null) return formatDuration(doneAfterMs);
  const atMs = preciseMs(step.at);
  // What is written in the future is somebody's wrong clock.
  if (startMs === null || atMs > startMs) return formatFull(atMs);
  return `${formatDuration(startMs - atMs)} before`;
}

/** The same as the numbers beside it, for the eye. */
function BarOf({ bar: { start, length, split } }: { bar: Bar }) {
  const style = { left: `${100 * start}%`, width: `${100 * length}%` };
  return (
    <span className="journey-bar-line" aria-hidden="true">
      <span className="journey-bar" style={style}>
        {split !== null && (
          <>
            <span className="journey-queue" style={{ width: `${100 * split.queue}%` }} />
            <span className="journey-compute" style={{ width: `${100 * split.compute}%` }} />
          </>
        )}
      </span>
    </span>
  );
}
