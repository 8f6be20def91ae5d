import type { RuleInput } from '@/api/alerts';
import { ApiError, type FieldError } from '@/api/client';
import type { AlertRule } from '@/api/schema';

export type RuleKind = RuleInput['kind'];

/** What is in the form, as it was typed: what is no number yet is not sent as one. */
export interface RuleDraft {
  name: string;
  kind: RuleKind;
  sentiment: 'positive' | 'neutral' | 'negative';
  emotion: string;
  source: string;
  keyword: string;
  /** Of a ratio in per cent. */
  threshold: string;
  windowMinutes: string;
  minPosts: string;
  enabled: boolean;
  webhooks: string[];
}

export const NEW_RULE: RuleDraft = {
  name: '',
  kind: 'sentiment_ratio',
  sentiment: 'negative',
  emotion: 'anger',
  source: '',
  keyword: '',
  threshold: '50',
  windowMinutes: '5',
  minPosts: '10',
  enabled: true,
  webhooks: [],
};

/** A ratio in per cent, without the noise of binary fractions. */
const percentOf = (ratio: number): number => Number((ratio * 100).toPrecision(12));

export const draftOf = (rule: AlertRule): RuleDraft => ({
  name: rule.name,
  kind: rule.kind,
  sentiment: rule.sentiment ?? NEW_RULE.sentiment,
  emotion: rule.emotion ?? NEW_RULE.emotion,
  source: rule.source ?? '',
  keyword: rule.keyword ?? '',
  threshold: String(rule.kind === 'volume' ? rule.threshold : percentOf(rule.threshold)),
  windowMinutes: String(rule.window_minutes),
  minPosts: String(rule.min_posts),
  enabled: rule.enabled,
  webhooks: [...rule.webhooks],
});

/** The rule as the server takes it. An empty or absurd number goes as NaN, which JSON makes null, and the server refuses. */
export function inputOf(draft: RuleDraft): RuleInput {
  const number = (text: string) => (text.trim() === '' ? Number.NaN : Number(text));
  const threshold = number(draft.threshold);
  return {
    name: draft.name,
    kind: draft.kind,
    sentiment: draft.kind === 'sentiment_ratio' ? draft.sentiment : null,
    emotion: draft.kind === 'emotion_ratio' ? draft.emotion : null,
    source: draft.source.trim() === '' ? null : draft.source,
    keyword: draft.keyword.trim() === '' ? null : draft.keyword,
    threshold: draft.kind === 'volume' ? threshold : threshold / 100,
    window_minutes: number(draft.windowMinutes),
    // A volume has no least number of posts; what stands in the form from before does not matter.
    min_posts: draft.kind === 'volume' ? 1 : number(draft.minPosts),
    enabled: draft.enabled,
    webhooks: draft.webhooks,
  };
}

/** A rule that is written anew as it is, but for being switched on or off. */
export const switched = (rule: AlertRule, enabled: boolean): RuleInput =>
  inputOf({ ...draftOf(rule), enabled });

const FIELDS = [
  'name',
  'kind',
  'sentiment',
  'emotion',
  'source',
  'keyword',
  'threshold',
  'window_minutes',
  'min_posts',
  'webhooks',
] as const;
export type RuleField = (typeof FIELDS)[number];
export type RuleErrors = Partial<Record<RuleField, string>>;

const fieldOf = ({ field }: FieldError): RuleField | undefined =>
  FIELDS.find((each) => each === field.split('.')[0]);

const SENTENCES: Partial<Record<RuleField, string>> = {
  threshold: 'A number is needed.',
  window_minutes: 'A whole number of minutes is needed.',
  min_posts: 'A whole number of posts is needed.',
};

/** What the server says of each field, in words for people; nothing where it is not about fields. */
export function ruleErrors(error: Error | null): RuleErrors {
  if (!(error instanceof ApiError)) return {};
  const found: RuleErrors = {};
  if (error.status === 409 && /called/.test(error.message)) found.name = error.message;
  for (const each of error.errors) {
    const { message } = each;
    const field = fieldOf(each);
    if (field === undefined || found[field] !== undefined) continue;
    const isNoNumber = /valid (integer|number)/.test(message);
    found[field] = (isNoNumber ? SENTENCES[field] : undefined) ?? sentence(field, message);
  }
  return found;
}

/** Pydantic's messages in the words of the form, where per cent stand for ratios. */
function sentence(field: RuleField, message: string): string {
  const least = /greater than( or equal to)? ([\d.]+)/.exec(message);
  const most = /less than( or equal to)? ([\d.]+)/.exec(message);
  if (least) return `It has to be ${least[1] ? 'at least' : 'above'} ${least[2]}.`;
  if (most) return `It has to be ${most[1] ? 'at most' : 'below'} ${Number(most[2])}.`;
  if (/at least 1 (character|item)|must not be blank/.test(message)) return 'It must not be empty.';
  if (field === 'threshold' && /below 1/.test(message)) return 'It has to be below 100 %.';
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${message.endsWith('.') ? '' : '.'}`;
}
