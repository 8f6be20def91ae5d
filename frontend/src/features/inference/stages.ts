import type { InferenceStatistics } from '@/api/schema';
import type { IconName } from '@/components/Icon';
import { formatCount, plural } from '@/lib/format';
import { formatMs, formatRate, formatShort } from '@/lib/units';

/** A station on the way of a post, with its numbers of now. */
export interface Stage {
  id: string;
  name: string;
  icon: IconName;
  /** The number to look at, and what it is. */
  value: string;
  unit: string;
  /** Further ones, each a few words. */
  notes: string[];
  /** What it is and when it is bad, in a line. */
  about: string;
  /** Why it is bad now; null while it is not. */
  trouble: string | null;
}

/** Posts that wait longer than about this come late to everybody who looks. */
const LATE_AFTER_S = 10;
const UNKNOWN = '–';

type Models = InferenceStatistics['models'];

/** The mean of the models that had requests, weighed by them. */
function meanOf(models: Models, pick: (model: Models[number]) => number | null): number | null {
  let sum = 0;
  let weight = 0;
  for (const model of models) {
    const value = pick(model);
    if (value === null) continue;
    sum += value * model.requests_per_s;
    weight += model.requests_per_s;
  }
  return weight > 0 ? sum / weight : null;
}

const or = (value: number | null, format: (value: number) => string): string =>
  value === null ? UNKNOWN : format(value);

/** The way of a post from its source to a browser, in the order in which it goes. */
export function stages(now: InferenceStatistics): Stage[] {
  const { pipeline, models, triton, latency } = now;
  const { lag, pending, consumers, posts_per_s } = pipeline;
  const arrived = arrivalRate(now);
  return [
    {
      id: 'sources',
      name: 'Sources',
      icon: 'up',
      value: or(arrived, formatRate),
      unit: 'arrive',
      notes: [],
      about: 'Posts that come in. None at all means that a source is silent.',
      trouble: null,
    },
    {
      id: 'stream',
      name: 'Stream',
      icon: 'clock',
      value: or(lag, formatCount),
      unit: 'wait',
      notes: ['Redis'],
      about: 'Posts that no worker has read. Bad when it grows.',
      trouble:
        lag === null
          ? 'Redis does not answer.'
          : lag > Math.max(10, LATE_AFTER_S * posts_per_s)
            ? 'More wait than the workers do in ten seconds.'
            : null,
    },
    {
      id: 'worker',
      name: 'Workers',
      icon: 'live',
      value: formatRate(posts_per_s),
      unit: 'done',
      notes: [
        `${or(pending, formatCount)} in hand`,
        ...(consumers === null ? [] : [plural(consumers, 'reader')]),
      ],
      about: 'Posts stored and announced. Bad when fewer than arrive.',
      trouble: consumers === 0 ? 'No worker reads the stream.' : null,
    },
    {
      id: 'triton',
      name: 'Triton',
      icon: 'gauge',
      value: or(
        meanOf(models, ({ compute_ms }) => compute_ms),
        formatMs,
      ),
      unit: 'a batch',
      notes: [
        `${or(
          meanOf(models, ({ mean_batch }) => mean_batch),
          formatShort,
        )} texts in it`,
        `${or(
          meanOf(models, ({ queue_ms }) => queue_ms),
          formatMs,
        )} in the queue`,
      ],
      about: 'The models, in batches. Bad when the queue takes longer than the batch.',
      trouble: triton.ready ? null : 'Triton does not answer.',
    },
    {
      id: 'database',
      name: 'Database',
      icon: 'download',
      value: formatRate(posts_per_s),
      unit: 'stored',
      notes: ['PostgreSQL'],
      about: 'What is stored is acknowledged, and announced after that.',
      trouble: null,
    },
    {
      id: 'browsers',
      name: 'Browsers',
      icon: 'system',
      value: or(latency?.p95_ms ?? null, formatMs),
      unit: 'for 95 %',
      notes: [`${or(latency?.p50_ms ?? null, formatMs)} for half`],
      about: 'From arrival to sent. Above a second people notice.',
      trouble: null,
    },
  ];
}

/** Posts per second that come into the stream: those that were done, and those by which the queue grew. */
export function arrivalRate({ history, pipeline }: InferenceStatistics): number | null {
  const known = history.filter(({ lag }) => lag !== null).slice(-13);
  const first = known[0];
  const last = known.at(-1);
  if (first === undefined || last === undefined || first === last) return pipeline.posts_per_s;
  const seconds = (Date.parse(last.at) - Date.parse(first.at)) / 1_000;
  if (!(seconds > 0)) return pipeline.posts_per_s;
  const done =
    known.slice(1).reduce((sum, point) => sum + point.posts_per_s, 0) / (known.length - 1);
  return Math.max(0, done + ((last.lag ?? 0) - (first.lag ?? 0)) / seconds);
}
