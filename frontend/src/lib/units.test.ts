import { expect, test } from 'vitest';
import { formatBytes, formatMs, formatRate } from './units';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test.each([
  [0.814, '0.814 ms'],
  [12.34, '12 ms'],
  [999.4, '999 ms'],
  [1_234, '1.23 s'],
  [123_456, '123 s'],
])('%f ms reads %s', (ms, text) => expect(plain(formatMs(ms))).toBe(text));

test('rates have three digits', () => {
  expect(plain(formatRate(4.1234))).toBe('4.12 /s');
  expect(plain(formatRate(1234.5))).toBe('1,235 /s');
  expect(plain(formatRate(0))).toBe('0 /s');
});

test.each([
  [0, '0 B'],
  [1024, '1 KiB'],
  [8.2e9, '7.64 GiB'],
])('%i bytes read %s', (bytes, text) => expect(plain(formatBytes(bytes))).toBe(text));
