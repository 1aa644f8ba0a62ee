// The tool calls that wait for a person's yes, the oldest first.

import { asApiError, call, type ApiError, type Event, type Lasting, type Question } from '../backend';

class Approvals {
  waiting = $state<Question[]>([]);
  /** Whether every call is refused. */
  locked = $state(false);
  problem = $state<ApiError | null>(null);

  /** Asks what waits: what was asked before the window was there, and what was answered elsewhere. */
  async look(): Promise<void> {
    try {
      const { waiting, locked } = await call('approvals.list', {});
      this.waiting = waiting;
      this.locked = locked;
    } catch (fault) {
      this.problem = asApiError(fault);
    }
  }

  /** Takes an event that is about questions. */
  hear(event: Event): void {
    if (event.event === 'asked') {
      const { question } = event;
      if (!this.waiting.some(({ id }) => id === question.id)) this.waiting = [...this.waiting, question];
    } else if (event.event === 'answered') {
      this.waiting = this.waiting.filter(({ id }) => id !== event.id);
    } else if (event.event === 'locked') {
      this.locked = event.locked;
    }
  }

  /** Lets a call through; refuses it where there is no `lasting`. */
  async answer(question: Question, lasting: Lasting | null): Promise<void> {
    const { id } = question;
    this.problem = null;
    try {
      await (lasting ? call('approvals.allow', { id, lasting }) : call('approvals.deny', { id }));
      this.waiting = this.waiting.filter((other) => other.id !== id);
    } catch (fault) {
      this.problem = asApiError(fault);
      await this.look();
    }
  }

  async lock(locked: boolean): Promise<void> {
    this.problem = null;
    try {
      await call('approvals.lock', { locked });
      this.locked = locked;
    } catch (fault) {
      this.problem = asApiError(fault);
    }
  }
}

export const approvals = new Approvals();
