import { createContext, type ReactNode, use, useEffect, useEffectEvent, useState } from 'react';
import { type ConnectionState, ReconnectingSocket } from '@/lib/socket';
import { createStore, type Store, useStore } from '@/lib/store';
import { type Message, type MessageData, type MessageType, parseMessage } from './messages';

type Listener = (message: Message) => void;

interface Live {
  connection: Store<ConnectionState>;
  listeners: Set<Listener>;
}

const LiveContext = createContext<Live | null>(null);

function liveUrl(): string {
  const { protocol, host } = window.location;
  return `${protocol === 'https:' ? 'wss:' : 'ws:'}//${host}/ws/sentiment`;
}

function connect(live: Live): ReconnectingSocket {
  return new ReconnectingSocket({
    url: liveUrl(),
    onState: live.connection.set,
    onMessage: (raw) => {
      const message = parseMessage(raw);
      if (message === null) return;
      for (const listener of live.listeners) listener(message);
    },
  });
}

/** Holds the page's one connection; everything below can listen to it. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const [live] = useState<Live>(() => ({
    connection: createStore<ConnectionState>({ kind: 'connecting' }),
    listeners: new Set(),
  }));
  useEffect(() => {
    const socket = connect(live);
    socket.start();
    return () => socket.stop();
  }, [live]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

function useLive(): Live {
  const live = use(LiveContext);
  if (live === null) throw new Error('LiveProvider is missing above this component');
  return live;
}

export const useConnection = (): ConnectionState => useStore(useLive().connection);

/** Calls `handle` with the data of every message of this type; the newest `handle` is the one used. */
export function useLiveMessage<T extends MessageType>(
  type: T,
  handle: (data: MessageData[T]) => void,
): void {
  const { listeners } = useLive();
  const onMessage = useEffectEvent((message: Message) => {
    if (message.type === type) handle(message.data as MessageData[T]);
  });
  useEffect(() => {
    const listener: Listener = (message) => onMessage(message);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, [listeners]);
}

/** Calls `handle` each time the connection is made, also the first time: both leave a gap that only REST can fill. */
export function useOnConnected(handle: () => void): void {
  const { kind } = useConnection();
  const onConnected = useEffectEvent(handle);
  useEffect(() => {
    if (kind === 'connected') onConnected();
  }, [kind]);
}
