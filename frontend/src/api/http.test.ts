import { afterEach, expect, test, vi } from 'vitest';
import { getJson } from './http';

const answer = (status: number, body: string) =>
  vi.stubGlobal('fetch', async () => new Response(body, { status }));
const ask = () => getJson('/api/posts', { read: () => 'read' });

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each([429, 503])('passes on what the server says of itself with %i', async (status) => {
  answer(status, '{"detail":"PostgreSQL does not answer; try again shortly."}');
  await expect(ask()).rejects.toThrow('PostgreSQL does not answer; try again shortly.');
});

test.each([
  [503, '<html>'],
  [503, '{"detail":7}'],
  [422, '{"detail":"limit: Input should be less than or equal to 100"}'],
  [500, '{"detail":"Internal error."}'],
])('says of %i with %s no more than that it is an error', async (status, body) => {
  answer(status, body);
  await expect(ask()).rejects.toThrow(`The server answered with an error (${status}).`);
});

test('takes what the server only remembers where there is nothing else', async () => {
  vi.stubGlobal('fetch', async () => Response.json({}, { headers: { 'X-Undertone-Stale': '90' } }));
  await expect(ask()).resolves.toBe('read');
  const asked = getJson('/api/posts', { read: () => 'read', haveData: true });
  await expect(asked).rejects.toThrow('The database does not answer.');
});
