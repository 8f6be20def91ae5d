// @vitest-environment jsdom
import { fireEvent, screen, within } from '@testing-library/react';
import { expect, test, vi } from 'vitest';
import { ApiError } from '@/api/client';
import { renderLive } from '@/testing/render';
import { formatScore } from './numbers';
import { curlCommand, pythonProgram, request, textsOf } from './request';
import { TryIt } from './TryIt';
import { failureOf, MAX_TRIES, type Try, withNewest } from './useAnalysis';

test('what is typed is one text, or one a line', () => {
  expect(textsOf('a\n\n b', false)).toEqual(['a\n\n b']);
  expect(textsOf('a\r\n\n b', true)).toEqual(['a', ' b']);
  expect(textsOf(' \n ', true)).toEqual([]);
  expect(request(['a'])).toEqual({ text: 'a' });
  expect(request(['a', 'b'])).toEqual({ texts: ['a', 'b'] });
});

test('a quote does not end the command for the shell', () => {
  expect(curlCommand('http://h', ["it's"])).toContain(`-d '{"text":"it'\\''s"}'`);
});

test('the Python program writes what is beyond ASCII as escapes that Python knows', () => {
  expect(pythonProgram('http://h', ['é "😂"\n'])).toContain(
    '{"text": "\\u00e9 \\"\\U0001f602\\"\\n"}',
  );
  expect(pythonProgram('http://h', ['a', 'b'])).toContain('{"texts": ["a", "b"]}');
});

test('every kind of failure has a title of its own', () => {
  const title = (status: number | null) => failureOf(new ApiError('Why.', status)).title;
  expect([413, 422, 429, 503, null].map(title)).toEqual([
    'This is too much text',
    'This text was refused',
    'The models are busy',
    'The models do not answer',
    'No answer',
  ]);
});

test('a score never reads as none or as certain', () => {
  expect([0, 0.0004, 0.5, 0.9996, 1].map(formatScore)).toEqual([
    '0.0\u00a0%',
    '<0.1\u00a0%',
    '50.0\u00a0%',
    '>99.9\u00a0%',
    '100.0\u00a0%',
  ]);
});

const verdict = (label: string) => ({
  label,
  confidence: 0.9,
  scores: [
    { label: 'other', score: 0.1 },
    { label, score: 0.9 },
  ],
  model_name: 'm',
  model_version: 3,
});

test('the newest tries are kept, and no more than the limit', () => {
  const answer = {
    results: [],
    timing: { tokenize_ms: 1, sentiment_ms: 2, emotion_ms: 3, total_ms: 4 },
  };
  let tries: readonly Try[] = [];
  for (let n = 0; n < MAX_TRIES + 2; n += 1) {
    tries = withNewest(tries, { texts: [`text${n}`], answer, roundTripMs: 5 });
  }
  expect(tries).toHaveLength(MAX_TRIES);
  expect(tries[0]?.texts).toEqual([`text${MAX_TRIES + 1}`]);
  expect(new Set(tries.map(({ id }) => id)).size).toBe(MAX_TRIES);
});

test('an answer is shown with every score, the greatest first, until it is forgotten', async () => {
  vi.stubGlobal('fetch', async (asked: Request) => {
    if (new URL(asked.url).pathname !== '/api/analyze') throw new TypeError('Failed to fetch');
    const { text } = (await asked.json()) as { text: string };
    const result = {
      text_tokens: 3,
      truncated: false,
      sentiment: verdict(text),
      emotion: verdict('joy'),
    };
    const timing = { tokenize_ms: 1, sentiment_ms: 2, emotion_ms: 3, total_ms: 4 };
    return new Response(JSON.stringify({ results: [result], timing }));
  });
  renderLive(<TryIt />);
  for (const text of ['first', 'second']) {
    fireEvent.change(screen.getByLabelText('Text'), { target: { value: text } });
    fireEvent.keyDown(screen.getByLabelText('Text'), { key: 'Enter', ctrlKey: true });
    await screen.findByText(text, { selector: '.try-quote' }, { timeout: 9_000 });
  }
  const scores = within(screen.getByLabelText('Sentiment scores'));
  expect(scores.getAllByRole('listitem').map((item) => item.textContent)).toEqual([
    'second90.0\u00a0%',
    'other10.0\u00a0%',
  ]);
  fireEvent.click(screen.getByText('first', { selector: 'button' }));
  expect(screen.getByTestId('try-sentiment').dataset.label).toBe('first');
  fireEvent.click(screen.getByText('Forget them'));
  expect(screen.queryByTestId('try-sentiment')).toBeNull();
});

test('where keys are asked for the commands take one from the environment', () => {
  expect(curlCommand('http://h', ['a'], true)).toContain(
    `-H "Authorization: Bearer $UNDERTONE_KEY" \\\n`,
  );
  expect(curlCommand('http://h', ['a'])).not.toContain('Authorization');
  expect(pythonProgram('http://h', ['a'], true)).toContain('import os\nimport urllib.request\n');
  expect(pythonProgram('http://h', ['a'], true)).toContain(
    `"Authorization": "Bearer " + os.environ["UNDERTONE_KEY"]}`,
  );
  expect(pythonProgram('http://h', ['a'])).not.toContain('os.environ');
});
