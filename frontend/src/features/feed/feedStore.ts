import type { Post } from '@/api/model';

/** More than anyone scrolls through; the server keeps the rest. The oldest go. */
export const FEED_LIMIT = 1_000;
/** Often enough to feel live, seldom enough to stay legible and cheap at hundreds of posts a second. */
export const PAINT_EVERY_MS = 200;
/** More at once are no arrival to look at: they are shown without ado. */
const MOST_NEWCOMERS = 6;
/** More at once cannot be read either: what comes that fast is painted less often. */
const RUSH_POSTS = 20;
const RUSH_EVERY_MS = 500;

/** Ids that a page knows to be deleted, at most. */
const MOST_DELETED = 10_000;

export type PauseReason = 'button' | 'pointer' | 'focus' | 'scroll';

export interface FeedView {
  posts: readonly Post[];
  /** Posts that came in since the view was paused. */
  heldBack: number;
  isPaused: boolean;
  /** Paused by the button, which unlike the other reasons stays until it is pressed again. */
  isStopped: boolean;
  /** How many of the posts are new in this view; 0 while they come too fast to be looked at. */
  newcomers: number;
}

/** Told of posts that have just been painted. */
export type PaintListener = (posts: readonly Arrival[]) => void;

export interface Arrival {
  post: Post;
  receivedAtMs: number;
}

/**
 * The newest posts, each once. Arrivals are collected and published together before a frame is painted; while paused
 * they are only counted, so that nothing moves under the reader's eyes.
 */
export class FeedStore {
  private view: FeedView = {
    posts: [],
    heldBack: 0,
    isPaused: false,
    isStopped: false,
    newcomers: 0,
  };
  /** Newest first. */
  private latest: Post[] = [];
  /** What came in since, oldest first; FEED_LIMIT at most, also while nothing is painted. */
  private arrived: Arrival[] = [];
  private ids = new Set<string>();
  /** Deleted since the page was opened: a post may have been on its way to here already. The oldest go. */
  private readonly deleted = new Set<string>();
  private heldBack = 0;
  /** How many posts came in since the connection was last made: those are newer than any REST answer. */
  private fresh = 0;
  private readonly pauses = new Set<PauseReason>();
  private readonly listeners = new Set<() => void>();
  private isScheduled = false;
  private isRush = false;
  private paintedAtMs = Number.NEGATIVE_INFINITY;
  private readonly onPainted: PaintListener;

  constructor(onPainted: PaintListener = () => {}) {
    this.onPainted = onPainted;
  }

  readonly get = (): FeedView => this.view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Whether it has the post, from before the gap that is being closed if there is one. */
  hadBeforeGap(id: string): boolean {
    this.settle();
    return this.latest.slice(this.fresh).some((post) => post.id === id);
  }

  add(post: Post): void {
    if (this.ids.has(post.id) || this.deleted.has(post.id)) return;
    this.ids.add(post.id);
    this.arrived.push({ post, receivedAtMs: Date.now() });
    this.fresh = Math.min(this.fresh + 1, FEED_LIMIT);
    this.heldBack += 1;
    if (this.arrived.length >= FEED_LIMIT) this.settle();
    this.schedule();
  }

  /** Takes posts away at once, also from a view that is paused. */
  remove(ids: readonly string[]): void {
    for (const id of ids) this.deleted.add(id);
    for (const id of this.deleted) {
      if (this.deleted.size <= MOST_DELETED) break;
      this.deleted.delete(id);
    }
    const isKept = ({ id }: Post) => !this.deleted.has(id);
    const newestFirst = [...this.arrived.map(({ post }) => post).reverse(), ...this.latest];
    this.fresh = newestFirst.slice(0, this.fresh).filter(isKept).length;
    this.heldBack = newestFirst.slice(0, this.heldBack).filter(isKept).length;
    this.arrived = this.arrived.filter(({ post }) => isKept(post));
    this.latest = this.latest.filter(isKept);
    this.ids = new Set(newestFirst.filter(isKept).map(({ id }) => id));
    this.view = { ...this.view, posts: this.view.posts.filter(isKept) };
    this.schedule();
  }

  /** Call when the connection has been made: what arrives from now on follows the gap. */
  markGap(): void {
    this.fresh = 0;
  }

  /** Fills the gap with the newest posts from REST, which belong between what came after it and what came before. */
  fillGap(posts: readonly Post[]): void {
    this.settle();
    const known = new Set(this.ids);
    const after = this.latest.slice(0, this.fresh);
    const before = this.latest.slice(this.fresh);
    const missed = posts.filter(({ id }) => !this.deleted.has(id));
    const byId = new Map([...after, ...missed, ...before].map((post) => [post.id, post]));
    this.keep([...byId.values()]);
    this.heldBack += this.latest.filter(({ id }) => !known.has(id)).length;
    this.schedule();
  }

  /** The view stays paused until every reason is gone. */
  pause(reason: PauseReason): void {
    if (this.pauses.has(reason)) return;
    this.pauses.add(reason);
    this.schedule();
  }

  unpause(...reasons: PauseReason[]): void {
    const gone = reasons.filter((reason) => this.pauses.delete(reason));
    if (gone.length > 0) this.schedule();
  }

  resume(): void {
    this.pauses.clear();
    this.publish();
  }

  private keep(posts: Post[]): void {
    this.latest = posts.slice(0, FEED_LIMIT);
    this.ids = new Set(this.latest.map(({ id }) => id));
  }

  private settle(): Arrival[] {
    const { arrived } = this;
    if (arrived.length === 0) return arrived;
    this.arrived = [];
    this.keep([...arrived.map(({ post }) => post).reverse(), ...this.latest]);
    return arrived;
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    const everyMs = this.isRush ? RUSH_EVERY_MS : PAINT_EVERY_MS;
    const waitMs = Math.max(0, this.paintedAtMs + everyMs - performance.now());
    setTimeout(() => requestAnimationFrame(this.publish), waitMs);
  }

  private readonly publish = (): void => {
    this.isScheduled = false;
    this.paintedAtMs = performance.now();
    const isPaused = this.pauses.size > 0;
    const isStopped = this.pauses.has('button');
    if (!isPaused) this.heldBack = 0;
    const arrived = this.settle();
    const posts = isPaused ? this.view.posts : this.latest;
    this.isRush = arrived.length > RUSH_POSTS;
    const newcomers = isPaused || arrived.length > MOST_NEWCOMERS ? 0 : arrived.length;
    this.view = { posts, heldBack: this.heldBack, isPaused, isStopped, newcomers };
    for (const listener of this.listeners) listener();
    if (!isPaused && arrived.length > 0 && this.listeners.size > 0) {
      afterPaint(() => this.onPainted(arrived));
    }
  };
}

/** A message to oneself, sent while a frame is being made, comes when it has been. */
function afterPaint(callback: () => void): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    callback();
  };
  port2.postMessage(null);
}
