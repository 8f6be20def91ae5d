import { backoffDelayMs } from './backoff';

export type ConnectionState =
  | { kind: 'connecting' }
  | { kind: 'connected' }
  | { kind: 'reconnecting'; retryAtMs: number | null }
  | { kind: 'offline' };

interface SocketOptions {
  url: string;
  onMessage: (raw: unknown) => void;
  onState: (state: ConnectionState) => void;
}

/** The server sends something at least every 30 s; twice that in silence means that the line is dead. */
export const SILENCE_LIMIT_MS = 60_000;
/** A connection that breaks sooner does not reset the back-off, or a crash loop would be hammered twice a second. */
const STABLE_AFTER_MS = 5_000;

/** A WebSocket that comes back by itself. `start` and `stop` may be called any number of times. */
export class ReconnectingSocket {
  private readonly options: SocketOptions;
  private socket: WebSocket | null = null;
  private attempt = 0;
  private openedAtMs = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private silenceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SocketOptions) {
    this.options = options;
  }

  start(): void {
    window.addEventListener('online', this.retryNow);
    window.addEventListener('offline', this.goOffline);
    document.addEventListener('visibilitychange', this.retryWhenVisible);
    this.options.onState({ kind: 'connecting' });
    this.open();
  }

  stop(): void {
    window.removeEventListener('online', this.retryNow);
    window.removeEventListener('offline', this.goOffline);
    document.removeEventListener('visibilitychange', this.retryWhenVisible);
    clearTimeout(this.retryTimer);
    this.drop();
  }

  private open(): void {
    clearTimeout(this.retryTimer);
    this.drop();
    const socket = new WebSocket(this.options.url);
    this.socket = socket;
    // Also limits the handshake: a server that accepts and then says nothing must not hold the page for ever.
    this.watchSilence();
    socket.onopen = () => {
      this.openedAtMs = Date.now();
      this.watchSilence();
      this.options.onState({ kind: 'connected' });
    };
    socket.onmessage = (event: MessageEvent<unknown>) => {
      this.watchSilence();
      this.options.onMessage(event.data);
    };
    socket.onclose = () => this.retryLater();
  }

  private retryLater(): void {
    const wasStable = this.openedAtMs > 0 && Date.now() - this.openedAtMs >= STABLE_AFTER_MS;
    if (wasStable) this.attempt = 0;
    this.drop();
    const delayMs = backoffDelayMs(this.attempt);
    this.attempt += 1;
    this.showWaiting(Date.now() + delayMs);
    this.retryTimer = setTimeout(this.retryNow, delayMs);
  }

  private readonly retryNow = (): void => {
    if (this.socket !== null) return;
    this.showWaiting(null);
    this.open();
  };

  private showWaiting(retryAtMs: number | null): void {
    this.options.onState(
      navigator.onLine ? { kind: 'reconnecting', retryAtMs } : { kind: 'offline' },
    );
  }

  /** Background timers are slowed by the browser; whoever looks at the page again should not wait for one. */
  private readonly retryWhenVisible = (): void => {
    if (document.visibilityState === 'visible') this.retryNow();
  };

  /** Only a hint: a server on this same machine stays reachable without a network, hence the attempt. */
  private readonly goOffline = (): void => {
    this.drop();
    this.retryNow();
  };

  private watchSilence(): void {
    clearTimeout(this.silenceTimer);
    this.silenceTimer = setTimeout(() => this.retryLater(), SILENCE_LIMIT_MS);
  }

  /** Handlers go first: a late `close` of an abandoned socket must not start a second reconnect. */
  private drop(): void {
    clearTimeout(this.silenceTimer);
    this.openedAtMs = 0;
    const socket = this.socket;
    this.socket = null;
    if (socket === null) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }
}
