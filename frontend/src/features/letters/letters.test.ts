// @vitest-environment jsdom
import { expect, test, vi } from 'vitest';
import { dropLetters, replayLetters } from '@/api/deadLetters';
import { describeOutcome } from './act';

function respond(...answers: object[]) {
  const bodies: unknown[] = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    bodies.push(await request.json());
    return new Response(JSON.stringify(answers.shift()));
  });
  return bodies;
}

test('as long as more remain the server is asked again, from where it was', async () => {
  const bodies = respond(
    { dropped: 1000, gone: 0, next_cursor: 'a~b' },
    { dropped: 7, gone: 0, next_cursor: null },
  );
  expect((await dropLetters({ reason: 'too_long' })).done).toBe(1007);
  expect(bodies).toEqual([{ reason: 'too_long' }, { reason: 'too_long', cursor: 'a~b' }]);
});

test('what cannot be published is counted, with the reason', async () => {
  respond({
    replayed: 2,
    skipped: [{ id: '1-0', obstacle: 'source is missing' }],
    gone: 0,
    next_cursor: null,
  });
  const outcome = await replayLetters({ all: true });
  expect(describeOutcome('replay', outcome).replaceAll('\u00a0', ' ')).toBe(
    '2 posts published again. 1 letter stays: source is missing.',
  );
});
