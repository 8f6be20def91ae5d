import type { Post } from '@/api/model';

/** More than anyone scrolls through; the server keeps the rest. */
export const FEED_LIMIT = 200;
/** Often enough to feel live, seldom enough to stay legible and cheap at hundreds of posts a second. */
export const PAINT_EVERY_MS = 200;

export type PauseReason = 'button' | 'pointer' | 'focus' | 'scroll';

export interface FeedView {
  posts: readonly Post[];
  /** Posts that came in since the view was paused. */
  heldBack: number;
  isPaused: boolean;
  /** Paused by the button, which unlike the other reasons stays until it is pressed again. */
  isStopped: boolean;
}

/**
 * The newest posts, each once. Arrivals are collected and published together before a frame is painted; while paused
 * they are only counted, so that nothing moves under the reader's eyes.
 */
export class FeedStore {
  private view: FeedView = { posts: [], heldBack: 0, isPaused: false, isStopped: false };
  private latest: Post[] = [];
  private heldBack = 0;
  /** How many of `latest` came in since the connection was last made: those are newer than any REST answer. */
  private fresh = 0;
  private readonly pauses = new Set<PauseReason>();
  private readonly listeners = new Set<() => void>();
  private isScheduled = false;
  private paintedAtMs = Number.NEGATIVE_INFINITY;

  readonly get = (): FeedView => this.view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  add(post: Post): void {
    if (this.latest.some(({ id }) => id === post.id)) return;
    this.latest = [post, ...this.latest].slice(0, FEED_LIMIT);
    this.fresh = Math.min(this.fresh + 1, FEED_LIMIT);
    this.heldBack += 1;
    this.schedule();
  }

  /** Call when the connection has been made: what arrives from now on follows the gap. */
  markGap(): void {
    this.fresh = 0;
  }

  /** Fills the gap with the newest posts from REST, which belong between what came after it and what came before. */
  fillGap(posts: readonly Post[]): void {
    const known = new Set(this.latest.map(({ id }) => id));
    const after = this.latest.slice(0, this.fresh);
    const before = this.latest.slice(this.fresh);
    const byId = new Map([...after, ...posts, ...before].map((post) => [post.id, post]));
    this.latest = [...byId.values()].slice(0, FEED_LIMIT);
    this.heldBack += this.latest.filter(({ id }) => !known.has(id)).length;
    this.schedule();
  }

  /** The view stays paused until every reason is gone. */
  pause(reason: PauseReason): void {
    this.pauses.add(reason);
    this.schedule();
  }

  unpause(reason: PauseReason): void {
    if (this.pauses.delete(reason)) this.schedule();
  }

  resume(): void {
    this.pauses.clear();
    this.publish();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    const waitMs = Math.max(0, this.paintedAtMs + PAINT_EVERY_MS - performance.now());
    setTimeout(() => requestAnimationFrame(this.publish), waitMs);
  }

  private readonly publish = (): void => {
    this.isScheduled = false;
    this.paintedAtMs = performance.now();
    const isPaused = this.pauses.size > 0;
    const isStopped = this.pauses.has('button');
    if (!isPaused) this.heldBack = 0;
    const posts = isPaused ? this.view.posts : this.latest;
    this.view = { posts, heldBack: this.heldBack, isPaused, isStopped };
    for (const listener of this.listeners) listener();
  };
}
