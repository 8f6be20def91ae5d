/** Texts to begin with: plain ones, and some on which models like these tend to disagree with people. */
export const EXAMPLES = [
  'I love this so much, best day ever!!',
  'They lied to us again and I am furious.',
  'The train leaves at nine from platform two.',
  'Great, another Monday. Just what I needed.',
  'I was so scared, and then so relieved that I cried.',
  'Not bad at all, though I expected more.',
] as const;
