import type { AlertRule } from '@/api/schema';
import { formatCount, formatPercent, plural } from '@/lib/format';
import { describeScope } from './sentence';

/** "More than 50 % of the posts from reddit negative, within 5 minutes and of at least 10" */
export function describeRule(rule: AlertRule): string {
  const within = `within ${plural(rule.window_minutes, 'minute')}`;
  const scope = describeScope(rule);
  if (rule.kind === 'volume') {
    return `More than ${plural(rule.threshold, 'post')}${scope} ${within}`;
  }
  const what = rule.kind === 'emotion_ratio' ? `showing ${rule.emotion}` : rule.sentiment;
  return (
    `More than ${formatPercent(rule.threshold)} of the posts${scope} ${what} ${within}, ` +
    `of at least ${formatCount(rule.min_posts)}`
  );
}

/** "Now 31 % of 412 posts"; why there is no value where there is none. */
export function describeValue(rule: AlertRule): string {
  const { last_value: value, last_posts: posts } = rule;
  if (!rule.enabled) return 'Switched off';
  if (value === null || posts === null) return 'Its first window is not over yet';
  if (rule.kind === 'volume') return `Last window: ${plural(value, 'post')}`;
  const few = posts < rule.min_posts ? ', too few to say' : '';
  return `Last window: ${formatPercent(value)} of ${plural(posts, 'post')}${few}`;
}

export const STATE_NAMES = { raised: 'Raised', calm: 'Calm', unknown: 'Unknown' } as const;
