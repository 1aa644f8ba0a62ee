// What the window knows, kept live: the servers, the owning process's status, and how the way to it stands.

import {
  asApiError,
  call,
  watchLink,
  type ApiError,
  type Check,
  type DaemonStatus,
  type Event,
  type Link,
  type NoticeBody,
  type ServerName,
  type ServerView,
} from '../backend';
import { approvals } from './approvals.svelte';
import { pins } from './pins.svelte';
import { questions } from './questions.svelte';

/** Events come in bursts; one question answers a burst. */
const SETTLE_MS = 60;

class Caisson {
  link = $state<Link>({ link: 'searching' });
  /** Null until the first answer. */
  servers = $state<ServerView[] | null>(null);
  status = $state<DaemonStatus | null>(null);
  /** What keeps containers from running, while no engine is found; null while nobody has looked. */
  engineChecks = $state<Check[] | null>(null);
  /** Why the last look failed. */
  problem = $state<ApiError | null>(null);

  #subscription: AbortController | null = null;
  #settling: number | undefined;
  #looking = false;
  #lookAgain = false;

  /** Watches from here on. */
  start(): void {
    watchLink((link) => {
      this.link = link;
      this.#subscription?.abort();
      this.#subscription = null;
      if (link.link === 'up') void this.#follow();
    });
    // No event tells that an engine was started meanwhile.
    window.addEventListener('focus', () => {
      if (this.status && !this.status.engine) void this.refresh();
    });
  }

  /** Asks for everything again. One look at a time; a wish that comes meanwhile makes a second one. */
  async refresh(): Promise<void> {
    this.#lookAgain = true;
    if (this.#looking) return;
    this.#looking = true;
    try {
      while (this.#lookAgain) {
        this.#lookAgain = false;
        const [list, status] = await Promise.all([call('server.list', {}), call('daemon.status', {})]);
        this.servers = list.servers;
        this.status = status;
        this.problem = null;
      }
    } catch (fault) {
      this.problem = asApiError(fault);
    } finally {
      this.#looking = false;
    }
  }

  /** Looks for an engine, and for what is wrong where none is found. */
  async findEngine(): Promise<void> {
    try {
      const { checks } = await call('doctor', {});
      this.engineChecks = checks.filter(({ area, status }) => area === 'Engine' && status !== 'ok');
      await this.refresh();
    } catch (fault) {
      this.problem = asApiError(fault);
    }
  }

  /** Puts a newer view of a server in its place. */
  put(view: ServerView): void {
    const at = this.servers?.findIndex(({ name }) => name === view.name) ?? -1;
    if (this.servers && at >= 0) this.servers[at] = view;
    this.#settle();
  }

  /** Takes a server out. */
  drop(gone: ServerName): void {
    this.servers = this.servers?.filter(({ name }) => name !== gone) ?? null;
    this.#settle();
  }

  async #follow(): Promise<void> {
    const { signal } = (this.#subscription = new AbortController());
    try {
      await call('events.subscribe', {}, { signal, onNotice: (notice) => this.#hear(notice, signal) });
    } catch (fault) {
      if (!signal.aborted) this.problem = asApiError(fault);
      return;
    }
    // Asked after subscribing, so that nothing falls between.
    await Promise.all([this.refresh(), approvals.look(), pins.look()]);
    if (!signal.aborted) await this.#ask();
    if (!signal.aborted && this.status && !this.status.engine) await this.findEngine();
  }

  #hear(notice: NoticeBody, { aborted }: AbortSignal): void {
    if (aborted) return;
    if (notice.notice === 'event') this.#apply(notice.data);
    else if (notice.notice === 'lost') {
      this.#settle();
      void approvals.look();
      void pins.look();
    }
  }

  #apply(event: Event): void {
    switch (event.event) {
      case 'state': {
        const server = this.servers?.find(({ name }) => name === event.server);
        if (server) server.state = event.state;
        this.#settle();
        break;
      }
      case 'paused':
        if (this.status) this.status.paused = event.paused;
        this.#settle();
        break;
      case 'changed':
      case 'removed':
      case 'broken':
      case 'verified':
        this.#settle();
        break;
      case 'egress_refused':
      case 'folder_missed':
        questions.hear(event);
        break;
      case 'asked':
      case 'answered':
      case 'locked':
        approvals.hear(event);
        break;
      case 'quarantined':
      case 'reviewed':
        void pins.look();
        break;
      case 'rules':
        void this.#ask();
        break;
      case 'install':
      case 'verify':
      case 'groups':
      case 'policy':
      case 'counted':
        break;
    }
  }

  #ask(): Promise<void> {
    return questions.look((this.servers ?? []).map(({ name }) => name));
  }

  #settle(): void {
    window.clearTimeout(this.#settling);
    this.#settling = window.setTimeout(() => void this.refresh(), SETTLE_MS);
  }
}

export const caisson = new Caisson();
