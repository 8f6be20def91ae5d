import { useEffect, useRef, useState } from 'react';
import { Icon } from '@/components/Icon';
import { Panel } from '@/components/Panel';
import { State } from '@/components/QueryView';
import { Models } from './Models';
import { RecentTries } from './RecentTries';
import { RequestCode } from './RequestCode';
import { textsOf } from './request';
import { TextForm } from './TextForm';
import { TryResult } from './TryResult';
import { type Failure, useAnalysis } from './useAnalysis';
import './tryit.css';

/** One's own text before both models, as if it were a post. */
export function TryIt() {
  const [typed, setTyped] = useState('');
  const [isLineByLine, setIsLineByLine] = useState(false);
  const [shownId, setShownId] = useState<number | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const answers = useRef<HTMLDivElement>(null);
  const { tries, failure, isAsking, ask, forget } = useAnalysis();
  const texts = textsOf(typed, isLineByLine);
  const shown = tries.find(({ id }) => id === shownId) ?? tries[0];

  // On a phone the answer is below what is in sight.
  const answeredId = tries[0]?.id;
  useEffect(() => {
    const topPx = answers.current?.getBoundingClientRect().top ?? 0;
    if (answeredId !== undefined && topPx > window.innerHeight / 2)
      answers.current?.scrollIntoView();
  }, [answeredId]);

  const analyze = (which: readonly string[]) => {
    setShownId(null);
    ask(which);
  };
  return (
    <div className="try">
      <Panel title="Your text" className="try-question">
        <TextForm
          field={field}
          typed={typed}
          onType={setTyped}
          isLineByLine={isLineByLine}
          onLineByLine={setIsLineByLine}
          texts={texts}
          isAsking={isAsking}
          onAnalyze={() => analyze(texts)}
          onExample={(text) => {
            setTyped(text);
            field.current?.focus();
            analyze([text]);
          }}
        />
      </Panel>
      <div className="try-side try-answers" ref={answers}>
        <Panel title="What the models say" className="try-answer">
          {failure !== null && <Failed failure={failure} />}
          <div aria-live="polite" aria-busy={isAsking}>
            {shown !== undefined ? (
              <TryResult shown={shown} />
            ) : (
              failure === null && (
                <State
                  title={isAsking ? 'Asking both models…' : 'Nothing asked yet'}
                  text={isAsking ? '' : 'Type a text, or take one of the examples.'}
                />
              )
            )}
          </div>
        </Panel>
        <RecentTries
          tries={tries}
          shownId={shown?.id ?? null}
          onShow={setShownId}
          onForget={forget}
        />
      </div>
      <div className="try-side try-more">
        <RequestCode texts={texts.length > 0 ? texts : ['Your text']} />
        <Models />
      </div>
    </div>
  );
}

function Failed({ failure }: { failure: Failure }) {
  return (
    <p className="stale" role="alert">
      <Icon name="alert" />
      <span>
        <strong>{failure.title}.</strong> {failure.text}
      </span>
    </p>
  );
}
