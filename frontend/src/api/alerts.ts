import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { readInstant, readList } from '@/lib/read';
import { readAlert } from './alertRow';
import { answer, api, isMissing } from './client';
import type { Alert, Post } from './model';
import { readPost } from './parse';
import type { AlertDetail as AlertDetailRow, Alert as AlertRow, Delivery, paths } from './schema';

export const ALERTS_KEY = ['alerts'] as const;
export const RECENT_LIMIT = 20;
/** More than rules that there can be: each has one raised alert at most. */
export const RAISED_LIMIT = 100;
export const PAGE_SIZE = 20;

export type AlertState = 'raised' | 'resolved' | 'unacknowledged';

export interface AlertFilter {
  state: AlertState | null;
  ruleId: number | null;
  /** From 1. */
  page: number;
}

export interface AlertPage {
  alerts: Alert[];
  total: number;
}

/** A stretch of time in which so many of the posts matched. */
export interface AlertBucket {
  startMs: number;
  matching: number;
  total: number;
  ratio: number;
}

export interface AlertDetail {
  alert: Alert;
  sentence: string;
  buckets: AlertBucket[];
  posts: Post[];
  deliveries: Delivery[];
}

const readRows = (rows: AlertRow[]): Alert[] => readList(rows, readAlert) ?? [];

/** An alert of an answer; what is none there is an error of the server, and said as one. */
function readRow(row: AlertRow): Alert {
  const alert = readAlert(row);
  if (alert === null) throw new Error('The server sent an alert that makes no sense here.');
  return alert;
}

function listQuery(name: string, query: { limit: number; state?: AlertState }) {
  return queryOptions({
    queryKey: [...ALERTS_KEY, name],
    queryFn: async ({ signal }) =>
      readRows((await answer(api.GET('/api/alerts', { params: { query }, signal }))).alerts),
    // What is announced on the WebSocket may be missed while it is away.
    refetchInterval: 60_000,
  });
}

/** What is wrong now. */
export const raisedQuery = listQuery('raised', { limit: RAISED_LIMIT, state: 'raised' });
/** The newest, raised or resolved. */
export const recentQuery = listQuery('recent', { limit: RECENT_LIMIT });
/** Those that charts mark. More would stand side by side without a gap. */
export const marksQuery = listQuery('marks', { limit: 100 });

export const alertPageQuery = ({ state, ruleId, page }: AlertFilter) =>
  queryOptions({
    queryKey: [...ALERTS_KEY, 'page', state, ruleId, page],
    queryFn: async ({ signal }): Promise<AlertPage> => {
      const query = {
        limit: PAGE_SIZE,
        offset: (page - 1) * PAGE_SIZE,
        ...(state !== null && { state }),
        ...(ruleId !== null && { rule_id: ruleId }),
      };
      const { alerts, total } = await answer(api.GET('/api/alerts', { params: { query }, signal }));
      return { alerts: readRows(alerts), total };
    },
    placeholderData: keepPreviousData,
  });

export const alertDetailQuery = (id: number) =>
  queryOptions({
    queryKey: [...ALERTS_KEY, 'one', id],
    queryFn: async ({ signal }) => {
      const params = { path: { alert_id: id } };
      return readDetail(await answer(api.GET('/api/alerts/{alert_id}', { params, signal })));
    },
    // Deliveries go on, and so does the time after the window.
    refetchInterval: ({ state }) => (isMissing(state.error) ? false : 10_000),
    retry: (failures, error) => failures < 1 && !isMissing(error),
  });

function readDetail({ alert, explanation, deliveries }: AlertDetailRow): AlertDetail {
  return {
    alert: readRow(alert),
    sentence: explanation.sentence,
    buckets: explanation.series.map(({ timestamp, ...counts }) => ({
      startMs: readInstant(timestamp) ?? 0,
      ...counts,
    })),
    posts: readList(explanation.posts, readPost) ?? [],
    deliveries,
  };
}

export async function acknowledge(id: number, note: string): Promise<Alert> {
  const said = note.trim() === '' ? {} : { note: note.trim() };
  return readRow(
    await answer(
      api.POST('/api/alerts/{alert_id}/acknowledge', {
        params: { path: { alert_id: id } },
        body: said,
      }),
    ),
  );
}

export async function takeBack(id: number): Promise<Alert> {
  const params = { path: { alert_id: id } };
  return readRow(await answer(api.DELETE('/api/alerts/{alert_id}/acknowledge', { params })));
}

export type RuleInput =
  paths['/api/alert-rules']['post']['requestBody']['content']['application/json'];

export const rulesQuery = queryOptions({
  queryKey: [...ALERTS_KEY, 'rules'],
  queryFn: ({ signal }) => answer(api.GET('/api/alert-rules', { signal })),
  // What a rule said last changes with every minute.
  refetchInterval: 15_000,
});

/** Saves a new rule, or the one with this id anew. */
export function saveRule(id: number | null, body: RuleInput) {
  if (id === null) return answer(api.POST('/api/alert-rules', { body }));
  const params = { path: { rule_id: id } };
  return answer(api.PUT('/api/alert-rules/{rule_id}', { params, body }));
}

export const deleteRule = (id: number) =>
  answer(api.DELETE('/api/alert-rules/{rule_id}', { params: { path: { rule_id: id } } }));

export const previewRule = (body: RuleInput) =>
  answer(api.POST('/api/alert-rule-preview', { body }));

export const testWebhook = (name: string) =>
  answer(api.POST('/api/webhooks/{name}/test', { params: { path: { name } }, body: {} }));

/** Names of sources that posts came from lately, to choose from. */
export const sourceNamesQuery = queryOptions({
  queryKey: ['source-names'],
  queryFn: async ({ signal }) => {
    const params = { query: { minutes: 24 * 60 } };
    const { sources } = await answer(api.GET('/api/sources', { params, signal }));
    return sources.map(({ source }) => source);
  },
  staleTime: 60_000,
});
