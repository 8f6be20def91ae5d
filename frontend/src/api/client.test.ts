// @vitest-environment jsdom
import { afterEach, expect, test, vi } from 'vitest';
import { ApiError, answer, api } from './client';

const respond = (status: number, body: string, headers: Record<string, string> = {}) =>
  vi.stubGlobal('fetch', async () => new Response(body, { status, headers }));
const ask = (expectations = {}) => answer(api.GET('/api/health'), expectations);

afterEach(() => {
  vi.unstubAllGlobals();
});

test('asks our own origin, and gives the body', async () => {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (request: Request) => {
    asked.push(request.url);
    return new Response('{"status":"healthy"}');
  });
  expect(await ask()).toEqual({ status: 'healthy' });
  expect(asked).toEqual([`${window.location.origin}/api/health`]);
});

test.each([404, 422, 429, 503])(
  'passes on what the server says of itself with %i',
  async (status) => {
    respond(status, '{"detail":"A sentence for people."}');
    await expect(ask()).rejects.toThrow(new ApiError('A sentence for people.', status));
  },
);

test.each([
  [503, '{"detail":7}'],
  [500, '{"detail":"Internal error."}'],
])('says of %i with %s no more than that it is an error', async (status, body) => {
  respond(status, body);
  await expect(ask()).rejects.toThrow(`The server answered with an error (${status}).`);
});

test('passes on which fields are wrong', async () => {
  const errors = [{ field: 'name', message: 'Field required' }];
  respond(422, JSON.stringify({ detail: 'name: Field required', errors: [...errors, 7, {}] }));
  await expect(ask()).rejects.toMatchObject({ status: 422, errors });
});

test('a page of something in between is no answer', async () => {
  respond(200, '<html>');
  await expect(ask()).rejects.toThrow('The server sent an answer that makes no sense here.');
});

test('nobody there', async () => {
  vi.stubGlobal('fetch', async () => {
    throw new TypeError('Failed to fetch');
  });
  await expect(ask()).rejects.toThrow('The server cannot be reached.');
});

test('an old answer is only good for who has none', async () => {
  respond(200, '{"status":"healthy"}', { 'x-undertone-stale': '7' });
  expect(await ask()).toEqual({ status: 'healthy' });
  await expect(ask({ haveData: true })).rejects.toThrow('The database does not answer.');
});

test('what says in its body what is wrong is an answer where that is wanted', async () => {
  respond(503, '{"status":"unhealthy"}');
  expect(await ask({ alsoFine: [503] })).toEqual({ status: 'unhealthy' });
});
