import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { dropLetters, LETTERS_KEY, lettersQuery, replayLetters } from '@/api/deadLetters';
import { useMayChange } from '@/api/session';
import { AdminHint } from '@/components/AdminHint';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Panel } from '@/components/Panel';
import { QueryView, State } from '@/components/QueryView';
import { plural } from '@/lib/format';
import { type Asked, describeOutcome, QUESTIONS } from './act';
import { LetterDialog } from './LetterDialog';
import { LetterItem } from './LetterItem';
import { Reasons } from './Reasons';
import { useLetterSearch } from './useLetterSearch';
import './letters.css';

/** Posts that were refused, why, and what to do with them. */
export function Letters() {
  const { reason, openId, open, close } = useLetterSearch();
  const client = useQueryClient();
  const query = useInfiniteQuery(lettersQuery(reason));
  const [asked, setAsked] = useState<Asked | null>(null);
  const acting = useMutation({
    mutationFn: ({ act, choice }: Asked) =>
      act === 'drop' ? dropLetters(choice) : replayLetters(choice),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: LETTERS_KEY });
      setAsked(null);
      if (openId !== null) close();
    },
  });
  const mayChange = useMayChange();
  const ask = mayChange
    ? (next: Asked) => {
        acting.reset();
        setAsked(next);
      }
    : null;
  const first = query.data?.pages[0];
  const letters = query.data?.pages.flatMap((page) => page.letters) ?? [];
  return (
    <Panel
      title="Dead letters"
      id="letters"
      note="what was refused: kept once, until somebody decides"
    >
      <p role="status" className="letters-outcome" data-testid="letters-outcome">
        {acting.data !== undefined &&
          acting.variables !== undefined &&
          describeOutcome(acting.variables.act, acting.data)}
      </p>
      <QueryView query={{ ...query, data: first }}>
        {({ total, by_reason }) =>
          total === 0 ? (
            <State title="No dead letters" text="Every post so far could be analysed and stored." />
          ) : (
            <>
              {!mayChange && <AdminHint what="Publishing letters again or dropping them" />}
              <Reasons total={total} byReason={by_reason} onAsk={ask} />
              {letters.length === 0 && (
                <State title="None of this reason" text="They were published again or dropped." />
              )}
              <ul className="letters" data-testid="letters">
                {letters.map((letter) => (
                  <LetterItem
                    key={letter.id}
                    letter={letter}
                    onOpen={() => open(letter.id)}
                    onAsk={ask}
                  />
                ))}
              </ul>
              {query.hasNextPage && (
                <button
                  type="button"
                  className="button letters-more"
                  disabled={query.isFetchingNextPage}
                  onClick={() => void query.fetchNextPage()}
                >
                  Older ones ({plural(total, 'letter')} in all)
                </button>
              )}
            </>
          )
        }
      </QueryView>
      {openId !== null && <LetterDialog id={openId} onAsk={ask} onClose={close} />}
      {asked !== null && (
        <ConfirmDialog
          title={QUESTIONS[asked.act].title(asked.what)}
          text={QUESTIONS[asked.act].text}
          action={QUESTIONS[asked.act].action}
          isPending={acting.isPending}
          error={acting.error}
          onConfirm={() => acting.mutate(asked)}
          onClose={() => setAsked(null)}
        />
      )}
    </Panel>
  );
}
