// What servers wanted and were refused, until somebody decides.

import { asApiError, call, type ApiError, type Event, type HostRule, type Refused, type ServerName } from '../backend';

/** A host a server tried to reach, or a folder it looked for. */
export type Question =
  | { kind: 'host'; server: ServerName; rule: HostRule; why: Refused; reason: string }
  | { kind: 'folder'; server: ServerName; folder: string; write: boolean };

export type Answer = 'once' | 'always' | 'never' | 'later';

/** A server may ask without end; the oldest go first. */
const MOST = 50;

const key = (question: Question): string =>
  question.kind === 'host'
    ? `${question.server} ${question.rule}`
    : `${question.server} ${question.folder} ${question.write}`;

class Questions {
  open = $state<Question[]>([]);
  problem = $state<ApiError | null>(null);

  /** Takes an event that is a question. */
  hear(event: Event): void {
    if (event.event === 'egress_refused' && event.rule !== null) {
      this.#add({ kind: 'host', server: event.server, rule: event.rule, why: event.why, reason: event.reason });
    } else if (event.event === 'folder_missed') {
      this.#add({ kind: 'folder', server: event.server, folder: event.folder, write: event.write });
    }
  }

  /** Asks what is open for these servers: what happened before the window was there, and what was decided elsewhere. */
  async look(servers: ServerName[]): Promise<void> {
    const found: Question[] = [];
    for (const server of servers) {
      try {
        const { tried, missed } = await call('network.show', { server });
        for (const { rule, why, reason } of tried) {
          if (rule !== null && why !== 'blocked') found.push({ kind: 'host', server, rule, why, reason });
        }
        for (const { folder, write } of missed) found.push({ kind: 'folder', server, folder, write });
      } catch {
        // Removed meanwhile, or its file is broken, which its row says.
      }
    }
    const seen = new Set<string>();
    this.open = found.filter((question) => !seen.has(key(question)) && seen.add(key(question))).slice(0, MOST);
  }

  async answer(question: Question, answer: Answer): Promise<void> {
    this.problem = null;
    this.open = this.open.filter((other) => key(other) !== key(question));
    try {
      if (question.kind === 'folder') {
        if (answer === 'always') {
          await call('folder.allow', { server: question.server, folder: question.folder, write: question.write });
        }
      } else if (answer === 'never') {
        await call('network.block', { server: question.server, rule: question.rule });
      } else if (answer !== 'later') {
        await call('network.allow', { server: question.server, rule: question.rule, once: answer === 'once' });
      }
    } catch (fault) {
      this.problem = asApiError(fault);
    }
  }

  #add(question: Question): void {
    if (this.open.some((other) => key(other) === key(question))) return;
    this.open = [...this.open, question].slice(-MOST);
  }
}

export const questions = new Questions();
