interface MetricProps {
  name: string;
  /** As text with its unit; null where it is not known. */
  value: string | null;
  /** What it is, and when it is bad; or, where it is not known, why. */
  about: string;
  testId?: string;
}

/** A number that explains itself in one line. */
export function Metric({ name, value, about, testId }: MetricProps) {
  return (
    <div className="metric" data-testid={testId}>
      <dt>{name}</dt>
      <dd className="metric-value">{value ?? '–'}</dd>
      <dd className="metric-about">{about}</dd>
    </div>
  );
}
