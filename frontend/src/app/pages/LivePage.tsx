import { Alerts } from '@/features/alerts/Alerts';
import { EmotionsNow } from '@/features/emotions/EmotionsNow';
import { EmotionTrend } from '@/features/emotions/EmotionTrend';
import { Feed } from '@/features/feed/Feed';
import { Sources } from '@/features/sources/Sources';
import { Totals } from '@/features/totals/Totals';
import { Trend } from '@/features/trend/Trend';
import { RisingWords } from '@/features/words/RisingWords';
import { LiveControls } from './live/LiveControls';
import { useAlertMarks } from './live/useAlertMarks';
import { useLiveView } from './live/useLiveView';
import './live/live.css';

export default function LivePage() {
  const { range, source, setRange, setSource, whole, zoom, setZoom, buckets } = useLiveView();
  const marks = useAlertMarks(source);
  const time = { phrase: range.phrase, buckets, whole, zoom, onZoom: setZoom };
  return (
    <div className="live">
      <div className="live-charts">
        <LiveControls range={range} source={source} onRange={setRange} onSource={setSource} />
        <Totals range={range} source={source} />
        <Trend source={source} {...time} {...marks.sentiment} />
        <div className="live-pair live-emotions">
          <EmotionTrend source={source} {...time} {...marks.emotions} />
          <EmotionsNow range={range} source={source} />
        </div>
        <RisingWords range={range} source={source} />
        <div className="live-pair">
          <Sources range={range} source={source} onSource={setSource} />
          <Alerts />
        </div>
      </div>
      <Feed source={source} />
    </div>
  );
}
