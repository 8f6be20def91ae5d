import { useState } from 'react';
import { Alerts } from '@/features/alerts/Alerts';
import { Emotions } from '@/features/emotions/Emotions';
import { Feed } from '@/features/feed/Feed';
import { Totals } from '@/features/totals/Totals';
import { Trend } from '@/features/trend/Trend';
import type { TimeWindow } from '@/lib/timeWindow';
import './live.css';

export default function LivePage() {
  const [timeWindow, setTimeWindow] = useState<TimeWindow>('last_hour');
  return (
    <div className="live">
      <div className="live-charts">
        <Totals timeWindow={timeWindow} onTimeWindow={setTimeWindow} />
        <Trend />
        <div className="live-pair">
          <Emotions timeWindow={timeWindow} />
          <Alerts />
        </div>
      </div>
      <Feed />
    </div>
  );
}
