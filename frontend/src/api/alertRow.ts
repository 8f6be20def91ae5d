import {
  type Fields,
  readCount,
  readFields,
  readInstant,
  readNumber,
  readString,
} from '@/lib/read';
import type { Alert, AlertKind } from './model';

const KINDS = ['sentiment_ratio', 'emotion_ratio', 'volume'] as const;
/** What the rule of the server's settings raises. */
const OF_THE_SETTINGS = 'high_negative_ratio';

function readKind(type: string, details: Fields | null): AlertKind {
  if (type === OF_THE_SETTINGS) return 'sentiment_ratio';
  return KINDS.find((kind) => kind === details?.kind) ?? 'unknown';
}

/** An alert, from REST or from a message. */
export function readAlert(value: unknown): Alert | null {
  const row = readFields(value);
  const id = readNumber(row?.id);
  const triggeredAtMs = readInstant(row?.triggered_at);
  const actual = readNumber(row?.actual_value);
  if (row === null || id === null || triggeredAtMs === null || actual === null) return null;
  const type = readString(row.alert_type) ?? 'unknown';
  const details = readFields(row.details);
  const kind = readKind(type, details);
  const scope = readFields(row.scope);
  return {
    id,
    type,
    kind,
    ruleId: readNumber(row.rule_id),
    ruleName: readString(row.rule_name) ?? type.replaceAll('_', ' '),
    sentiment: readString(details?.sentiment) ?? (kind === 'sentiment_ratio' ? 'negative' : null),
    emotion: readString(scope?.emotion),
    source: readString(scope?.source),
    keyword: readString(scope?.keyword),
    threshold: readNumber(row.threshold_value) ?? 0,
    actual,
    windowStartMs: readInstant(row.window_start) ?? triggeredAtMs,
    windowEndMs: readInstant(row.window_end) ?? triggeredAtMs,
    postCount: readCount(row.post_count),
    triggeredAtMs,
    resolvedAtMs: readInstant(row.resolved_at),
    acknowledgedAtMs: readInstant(row.acknowledged_at),
    acknowledgedNote: readString(row.acknowledged_note),
  };
}
