import { useMutation } from '@tanstack/react-query';
import { previewRule, type RuleInput } from '@/api/alerts';
import type { RulePreview as Preview } from '@/api/schema';
import { TimeFigure } from '@/components/chart/TimeFigure';
import { formatCount, formatPercent, plural } from '@/lib/format';
import { readInstant } from '@/lib/read';

const STEP_MS = 5 * 60_000;

/** What the rule would have said of the last day, asked for by a button: it takes the server some work. */
export function RulePreview({ input: written }: { input: RuleInput }) {
  // A rule can be tried before it has a name.
  const input = { ...written, name: 'Preview' };
  const asking = useMutation({ mutationFn: previewRule });
  const asked = asking.variables;
  const isOfThis = JSON.stringify(asked) === JSON.stringify(input);
  return (
    <div className="rule-preview" data-testid="rule-preview">
      <button
        type="button"
        className="button"
        disabled={asking.isPending}
        onClick={() => asking.mutate(input)}
      >
        Try on the last 24 hours
      </button>
      <div aria-live="polite">
        {asking.error !== null && isOfThis && (
          <p className="field-hint">No preview: {asking.error.message}</p>
        )}
        {asking.data !== undefined && asked !== undefined && isOfThis && (
          <Found preview={asking.data} rule={asked} />
        )}
      </div>
    </div>
  );
}

function Found({ preview, rule }: { preview: Preview; rule: RuleInput }) {
  if (!preview.available) return <p className="field-hint">No preview: {preview.reason}.</p>;
  const isVolume = rule.kind === 'volume';
  const format = isVolume ? formatCount : formatPercent;
  const values = preview.series.map(({ value }) => value);
  const fired = preview.would_have_fired ?? 0;
  const said =
    fired === 0
      ? `It would not have fired in the last ${preview.hours} hours.`
      : `It would have fired ${fired === 1 ? 'once' : `${formatCount(fired)} times`} in the last ${preview.hours} hours.`;
  return (
    <>
      <p>
        <strong>{said}</strong>
      </p>
      <TimeFigure
        label="the rule over the last day"
        data={{
          kind: 'lines',
          times: preview.series.map(({ timestamp }) => readInstant(timestamp) ?? 0),
          stepMs: STEP_MS,
          format,
          whole: isVolume,
          series: [{ name: isVolume ? 'Posts' : 'Share', color: 'emotion', values }],
          thresholds: [{ value: rule.threshold, label: `limit ${format(rule.threshold)}` }],
        }}
        phrase="last 24 hours"
        summary={`Highest: ${format(Math.max(0, ...values))} of the windows, of ${plural(values.length, 'point')}.`}
      />
    </>
  );
}
