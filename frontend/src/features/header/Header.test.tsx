// @vitest-environment jsdom
import { act, fireEvent, screen } from '@testing-library/react';
import { beforeEach, expect, test, vi } from 'vitest';
import { FakeWebSocket } from '@/testing/FakeWebSocket';
import { renderLive, stubApi } from '@/testing/render';
import { Header } from './Header';

const services = { database: 'connected', redis: 'connected', triton: 'disconnected' };

beforeEach(() => {
  stubApi({ '/api/health': { status: 'degraded', services } });
});

test('shows the state of the connection in words', () => {
  renderLive(<Header navigation={null} />);
  const connection = screen.getByTestId('connection');
  expect(connection.dataset.state).toBe('connecting');
  act(() => FakeWebSocket.latest.accept());
  expect(connection.dataset.state).toBe('connected');
  act(() => FakeWebSocket.latest.break());
  expect(connection.dataset.state).toBe('reconnecting');
  expect(connection.textContent).toMatch(/Reconnecting\s*in 1 s/);
});

test('shows which services are up', async () => {
  renderLive(<Header navigation={null} />);
  expect(await screen.findAllByText('connected')).toHaveLength(2);
  expect(screen.getByText('disconnected').closest('li')?.textContent).toContain('Triton');
});

test('claims nothing about services when nobody answers', async () => {
  stubApi({});
  renderLive(<Header navigation={null} />);
  expect(await screen.findAllByText('unknown')).toHaveLength(3);
});

test('switches the theme, also where storage is forbidden', () => {
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
    throw new DOMException('forbidden', 'SecurityError');
  });
  renderLive(<Header navigation={null} />);
  fireEvent.click(screen.getByRole('radio', { name: 'Dark' }));
  expect(document.documentElement.dataset.theme).toBe('dark');
});
