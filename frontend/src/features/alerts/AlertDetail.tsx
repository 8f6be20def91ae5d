import { useQuery } from '@tanstack/react-query';
import { alertDetailQuery, type AlertDetail as Detail } from '@/api/alerts';
import { isMissing } from '@/api/client';
import { Dialog } from '@/components/Dialog';
import { QueryView, State } from '@/components/QueryView';
import { useSlowClock } from '@/lib/clock';
import { formatFull, formatMoment } from '@/lib/format';
import { Acknowledging } from './Acknowledging';
import { AlertFigure } from './AlertFigure';
import { AlertMeta } from './AlertItem';
import { AlertPosts } from './AlertPosts';
import { Deliveries } from './Deliveries';
import { useAlertSearch } from './useAlertSearch';
import './detail.css';

/** Why there is an alert, in a dialog that an address leads to. */
export function AlertDetail() {
  const { openId, close } = useAlertSearch();
  if (openId === null) return null;
  return <OpenAlert key={openId} id={openId} onClose={close} />;
}

function OpenAlert({ id, onClose }: { id: number; onClose: () => void }) {
  const query = useQuery(alertDetailQuery(id));
  return (
    <Dialog title={query.data?.alert.ruleName ?? `Alert ${id}`} shape="side" onClose={onClose}>
      {isMissing(query.error) ? (
        <State title="There is no such alert." text="Its number may be mistyped." />
      ) : (
        <QueryView query={query}>{(detail) => <Explained detail={detail} />}</QueryView>
      )}
    </Dialog>
  );
}

function Explained({ detail }: { detail: Detail }) {
  const { alert, posts, deliveries } = detail;
  return (
    <div className="alert-detail" data-testid="alert-detail" data-alert-id={alert.id}>
      <div>
        <p className="alert-sentence" data-testid="alert-sentence">
          {detail.sentence}
        </p>
        <AlertMeta alert={alert} />
        <Acknowledging alert={alert} />
      </div>
      <Times detail={detail} />
      <AlertFigure detail={detail} />
      <AlertPosts posts={posts} />
      <Deliveries deliveries={deliveries} />
    </div>
  );
}

function Times({ detail: { alert } }: { detail: Detail }) {
  const nowMs = useSlowClock();
  return (
    <dl className="alert-times">
      <div>
        <dt>Window</dt>
        <dd>
          {formatMoment(alert.windowStartMs, nowMs)} to {formatMoment(alert.windowEndMs, nowMs)}
        </dd>
      </div>
      <div>
        <dt>Raised</dt>
        <dd title={formatFull(alert.triggeredAtMs)}>{formatMoment(alert.triggeredAtMs, nowMs)}</dd>
      </div>
      <div>
        <dt>Resolved</dt>
        <dd>{alert.resolvedAtMs === null ? 'not yet' : formatMoment(alert.resolvedAtMs, nowMs)}</dd>
      </div>
    </dl>
  );
}
