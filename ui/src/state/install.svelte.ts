// One install, from a source to a reviewed plan to a server.

import { asApiError, call, type ApiError, type Prepared, type Progress, type ServerView } from '../backend';

export type Phase =
  | { phase: 'ask' }
  | { phase: 'preparing' }
  | { phase: 'review'; prepared: Prepared }
  | { phase: 'accepting'; prepared: Prepared };

export class Install {
  state = $state.raw<Phase>({ phase: 'ask' });
  /** The steps so far; the last one runs. */
  steps = $state<Progress[]>([]);
  problem = $state<ApiError | null>(null);
  #cancel = new AbortController();

  /** Resolves the source and makes the plan. Nothing is installed by it. */
  async prepare(source: string, name: string): Promise<void> {
    const { signal } = (this.#cancel = new AbortController());
    this.problem = null;
    this.steps = [];
    this.state = { phase: 'preparing' };
    try {
      const prepared = await call(
        'install.prepare',
        { source, options: name ? { name } : {} },
        { signal, onNotice: (notice) => notice.notice === 'progress' && this.#step(notice.data) },
      );
      if (signal.aborted) void discard(prepared);
      else this.state = { phase: 'review', prepared };
    } catch (fault) {
      if (signal.aborted) return;
      this.#fail(fault);
    }
  }

  /** Installs what was reviewed. */
  async accept(): Promise<ServerView | null> {
    if (this.state.phase !== 'review') return null;
    const { prepared } = this.state;
    this.problem = null;
    this.state = { phase: 'accepting', prepared };
    try {
      const server = await call('install.accept', { ticket: prepared.ticket });
      this.state = { phase: 'ask' };
      return server;
    } catch (fault) {
      this.#fail(fault);
      return null;
    }
  }

  /** Leaves nothing behind. */
  abandon(): void {
    this.#cancel.abort();
    if (this.state.phase === 'review') void discard(this.state.prepared);
    this.state = { phase: 'ask' };
  }

  #step(progress: Progress): void {
    const last = this.steps.at(-1);
    if (last?.step === progress.step) this.steps[this.steps.length - 1] = progress;
    else this.steps.push(progress);
  }

  #fail(fault: unknown): void {
    this.problem = asApiError(fault);
    this.state = { phase: 'ask' };
  }
}

async function discard({ ticket }: Prepared): Promise<void> {
  try {
    await call('install.discard', { ticket });
  } catch {
    // The ticket ends with the connection in any case.
  }
}
