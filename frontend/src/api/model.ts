/** What the dashboard knows about. Instants are epoch milliseconds, confidences and ratios run from 0 to 1. */
export const SENTIMENTS = ['positive', 'neutral', 'negative'] as const;
export type Sentiment = (typeof SENTIMENTS)[number];

export interface Post {
  id: string;
  source: string;
  content: string;
  author: string | null;
  createdAtMs: number;
  sentiment: Sentiment;
  confidence: number;
  emotion: string | null;
  /** What gave the sentiment: name and version of the model. */
  model: string | null;
  /** When it came into the server's stream; null where that is not known. */
  queuedAtMs: number | null;
}

export interface Counts extends Record<Sentiment, number> {
  total: number;
}

/** Of the `posts` that came in the last `seconds`, the live feed has `shown`. */
export interface FeedShare {
  isSampled: boolean;
  posts: number;
  shown: number;
  seconds: number;
}

export interface Bucket extends Counts {
  startMs: number;
}

/** `unknown`: of a later server. */
export type AlertKind = 'sentiment_ratio' | 'emotion_ratio' | 'volume' | 'unknown';

export interface Alert {
  id: number;
  type: string;
  kind: AlertKind;
  /** 0: the rule of the server's settings; null: not known. */
  ruleId: number | null;
  ruleName: string;
  /** What it counted, and in which posts; null: any. */
  sentiment: string | null;
  emotion: string | null;
  source: string | null;
  keyword: string | null;
  threshold: number;
  actual: number;
  windowStartMs: number;
  windowEndMs: number;
  postCount: number;
  triggeredAtMs: number;
  resolvedAtMs: number | null;
  acknowledgedAtMs: number | null;
  acknowledgedNote: string | null;
}

export const SERVICES = ['database', 'redis', 'triton'] as const;
export type Service = (typeof SERVICES)[number];

export interface Health {
  status: 'healthy' | 'degraded' | 'unhealthy';
  services: Record<Service, boolean>;
}
