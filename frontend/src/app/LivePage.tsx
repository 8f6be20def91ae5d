import { useState } from 'react';
import { AlertBanner } from '@/features/alerts/AlertBanner';
import { Alerts } from '@/features/alerts/Alerts';
import { Emotions } from '@/features/emotions/Emotions';
import { Feed } from '@/features/feed/Feed';
import { Header } from '@/features/header/Header';
import { Totals } from '@/features/totals/Totals';
import { Trend } from '@/features/trend/Trend';
import type { TimeWindow } from '@/lib/timeWindow';
import { useRefetch } from './useRefetch';
import './page.css';

export function LivePage() {
  const [timeWindow, setTimeWindow] = useState<TimeWindow>('last_hour');
  useRefetch();
  return (
    <>
      <a className="skip-link" href="#feed">
        Skip to the live feed
      </a>
      <Header />
      <main className="page">
        <AlertBanner />
        <div className="page-charts">
          <Totals timeWindow={timeWindow} onTimeWindow={setTimeWindow} />
          <Trend />
          <div className="page-pair">
            <Emotions timeWindow={timeWindow} />
            <Alerts />
          </div>
        </div>
        <Feed />
      </main>
    </>
  );
}
