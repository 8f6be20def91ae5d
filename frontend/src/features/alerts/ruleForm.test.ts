// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { ApiError } from '@/api/client';
import { draftOf, inputOf, NEW_RULE, ruleErrors, switched } from './ruleForm';

const rule = {
  id: 3,
  name: 'Anger',
  kind: 'emotion_ratio' as const,
  sentiment: null,
  emotion: 'anger',
  source: 'reddit',
  keyword: null,
  threshold: 0.29,
  window_minutes: 5,
  min_posts: 10,
  enabled: true,
  webhooks: ['ops'],
  built_in: false,
  state: 'calm' as const,
  last_value: 0.1,
  last_posts: 20,
  evaluated_at: null,
};

test('a rule that is opened and saved is the same rule', () => {
  expect(draftOf(rule).threshold).toBe('29');
  const { name, kind, sentiment, emotion, source, keyword, threshold } = rule;
  const { window_minutes, min_posts, webhooks } = rule;
  expect(switched(rule, false)).toEqual({
    ...{ name, kind, sentiment, emotion, source, keyword, threshold },
    ...{ window_minutes, min_posts, webhooks, enabled: false },
  });
});

test('what is no number is not sent as one', () => {
  const input = inputOf({ ...NEW_RULE, threshold: '', windowMinutes: 'five' });
  expect(JSON.parse(JSON.stringify(input))).toMatchObject({
    threshold: null,
    window_minutes: null,
    min_posts: 10,
  });
});

test('a volume is in posts, and asks for no least number of them', () => {
  const input = inputOf({ ...NEW_RULE, kind: 'volume', threshold: '300', minPosts: 'x' });
  expect(input).toMatchObject({ threshold: 300, sentiment: null, emotion: null, min_posts: 1 });
});

test.each([
  ['name', 'String should have at least 1 character', 'name', 'It must not be empty.'],
  [
    'name',
    'Value should have at least 1 item after validation, not 0',
    'name',
    'It must not be empty.',
  ],
  ['threshold', 'Input should be a valid number', 'threshold', 'A number is needed.'],
  ['threshold', 'Input should be greater than 0', 'threshold', 'It has to be above 0.'],
  [
    'window_minutes',
    'Input should be less than or equal to 1440',
    'window_minutes',
    'It has to be at most 1440.',
  ],
  [
    'threshold',
    'of a ratio it is below 1, as 0.5 for half of the posts',
    'threshold',
    'It has to be below 100 %.',
  ],
  [
    'keyword',
    'has no word, number or emoji in it',
    'keyword',
    'Has no word, number or emoji in it.',
  ],
])('%s: “%s” stands at %s as “%s”', (field, message, where, said) => {
  const error = new ApiError('', 422, { errors: [{ field, message }] });
  expect(ruleErrors(error)).toEqual({ [where]: said });
});

test('a name that is taken stands at the name, and other refusals at no field', () => {
  expect(ruleErrors(new ApiError('Another rule is called “a”.', 409))).toEqual({
    name: 'Another rule is called “a”.',
  });
  expect(ruleErrors(new ApiError('There are 100 rules already.', 409))).toEqual({});
  expect(ruleErrors(null)).toEqual({});
});
