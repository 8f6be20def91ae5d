import type { AnalyzeAnswer, TextAnalysis, Verdict } from '@/api/schema';
import { Icon } from '@/components/Icon';
import { plural } from '@/lib/format';
import { formatMs, formatScore } from './numbers';
import { Scores } from './Scores';
import type { Try } from './useAnalysis';

export function TryResult({ shown }: { shown: Try }) {
  const { answer, texts, roundTripMs } = shown;
  const isOne = texts.length === 1;
  return (
    <div data-testid="try-result">
      {answer.results.map((result, index) => (
        <section
          // biome-ignore lint/suspicious/noArrayIndexKey: the same text may have been asked twice; the order stays
          key={index}
          className="try-one"
          aria-label={isOne ? 'Result' : `Result ${index + 1}`}
        >
          <p className="try-quote">{texts[index]}</p>
          <Analysed result={result} />
        </section>
      ))}
      <Times timing={answer.timing} roundTripMs={roundTripMs} texts={texts.length} />
    </div>
  );
}

function Analysed({ result }: { result: TextAnalysis }) {
  return (
    <>
      {result.truncated && (
        <p className="stale">
          <Icon name="info" />
          The text has {plural(result.text_tokens, 'token')}, more than a model reads: only its
          beginning was judged.
        </p>
      )}
      <div className="try-pair">
        <Judged name="Sentiment" verdict={result.sentiment} />
        <Judged name="Emotion" verdict={result.emotion} />
      </div>
      <p className="try-note">{plural(result.text_tokens, 'token')}</p>
    </>
  );
}

function Judged({ name, verdict }: { name: 'Sentiment' | 'Emotion'; verdict: Verdict }) {
  const { label, confidence, scores, model_name, model_version } = verdict;
  return (
    <div className="try-judged" data-testid={`try-${name.toLowerCase()}`} data-label={label}>
      <h3>{name}</h3>
      <p className="try-label">
        {label} <span>{formatScore(confidence)}</span>
      </p>
      <Scores name={name} scores={scores} label={label} />
      <p className="try-note">
        {model_name}, version {model_version}
      </p>
    </div>
  );
}

interface TimesProps {
  timing: AnalyzeAnswer['timing'];
  roundTripMs: number;
  texts: number;
}

function Times({ timing, roundTripMs, texts }: TimesProps) {
  const rows: [string, number][] = [
    ['Tokenize', timing.tokenize_ms],
    ['Sentiment model', timing.sentiment_ms],
    ['Emotion model', timing.emotion_ms],
    ['Server in all', timing.total_ms],
    ['Round trip', roundTripMs],
  ];
  return (
    <section aria-labelledby="try-times">
      <h3 id="try-times" className="try-times-title">
        Time{texts > 1 && <span> for all {texts} texts</span>}
      </h3>
      <dl className="try-times">
        {rows.map(([name, ms]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{formatMs(ms)}</dd>
          </div>
        ))}
      </dl>
      <p className="try-note">Both models are asked at the same time.</p>
    </section>
  );
}
