import type { LetterChoice, LetterOutcome } from '@/api/deadLetters';
import { plural } from '@/lib/format';

export type Act = 'replay' | 'drop';

/** What is asked for, of which letters. */
export interface Asked {
  act: Act;
  choice: LetterChoice;
  /** Which letters, in words: "the 3 letters of too_long". */
  what: string;
}

export const QUESTIONS = {
  replay: {
    title: (what: string) => `Publish ${what} again?`,
    text: 'Through the stream once more, each post once. What is refused again becomes a letter again.',
    action: 'Publish again',
  },
  drop: {
    title: (what: string) => `Drop ${what}?`,
    text: 'Thrown away for good: this cannot be undone.',
    action: 'Drop for good',
  },
} as const;

/** "3 posts published again. 1 letter stays: it is no post." */
export function describeOutcome(act: Act, { done, skipped, obstacle }: LetterOutcome): string {
  const said =
    act === 'drop'
      ? `${plural(done, 'letter')} dropped.`
      : `${plural(done, 'post')} published again.`;
  if (skipped === 0) return said;
  const why = obstacle === null ? '' : `: ${obstacle}`;
  return `${said} ${plural(skipped, 'letter')} ${skipped === 1 ? 'stays' : 'stay'}${why}.`;
}
