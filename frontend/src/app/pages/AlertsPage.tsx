import { AlertDetail } from '@/features/alerts/AlertDetail';
import { AlertHistory } from '@/features/alerts/AlertHistory';
import { AlertsNow } from '@/features/alerts/AlertsNow';
import { Rules } from '@/features/alerts/Rules';

export default function AlertsPage() {
  return (
    <div className="alerts-page">
      <div className="alerts-main">
        <AlertsNow />
        <AlertHistory />
      </div>
      <Rules />
      <AlertDetail />
    </div>
  );
}
