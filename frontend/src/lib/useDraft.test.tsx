// @vitest-environment jsdom
import { act, fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { useDraft } from './useDraft';

const applied = vi.fn();

function Field() {
  const [value, setValue] = useState('');
  const draft = useDraft(value, (text) => {
    applied(text);
    if (text === 'refused') return value;
    setValue(text.trim());
    return text.trim();
  });
  return (
    <>
      <input
        value={draft.text}
        onChange={(event) => draft.change(event.target.value)}
        onBlur={draft.commit}
      />
      <button type="button" onClick={() => setValue('from elsewhere')}>
        Go
      </button>
    </>
  );
}

const input = () => screen.getByRole<HTMLInputElement>('textbox');
const type = (text: string) => fireEvent.change(input(), { target: { value: text } });
const pause = () => act(() => vi.advanceTimersByTime(1_000));

beforeEach(() => {
  vi.useFakeTimers();
  applied.mockReset();
});
afterEach(() => {
  vi.useRealTimers();
});

test('a text is applied once, after a pause', () => {
  render(<Field />);
  type('t');
  type('tr');
  expect(applied).not.toHaveBeenCalled();
  pause();
  expect(applied.mock.calls).toEqual([['tr']]);
});

test('leaving the field applies it at once', () => {
  render(<Field />);
  type('train');
  fireEvent.blur(input());
  expect(applied.mock.calls).toEqual([['train']]);
});

test('a text that was trimmed or refused stays as it was typed', () => {
  render(<Field />);
  type('train ');
  pause();
  expect(input().value).toBe('train ');
  type('refused');
  pause();
  pause();
  expect(input().value).toBe('refused');
  expect(applied.mock.calls).toEqual([['train '], ['refused']]);
});

test('the text follows when the value changes by other means', () => {
  render(<Field />);
  type('half typ');
  fireEvent.click(screen.getByRole('button'));
  expect(input().value).toBe('from elsewhere');
  pause();
  expect(applied).not.toHaveBeenCalled();
});
