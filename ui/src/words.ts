// What states are called, in one place.

import type { DaemonStatus, ServerState } from './backend';
import { count } from './text';

/** A server's state in a word or two. */
export function stateWord(state: ServerState): string {
  switch (state.state) {
    case 'stopped':
      return 'Stopped';
    case 'starting':
      return 'Starting';
    case 'running':
      return 'Running';
    case 'stopping':
      return 'Stopping';
    case 'backoff':
      return 'Trying again';
    case 'failed':
      return 'Failed';
  }
}

/** What else there is to say of a state; empty when nothing. */
export function stateDetail(state: ServerState): string {
  switch (state.state) {
    case 'running':
      return state.sessions === 0 ? 'no session' : count(state.sessions, 'session');
    case 'backoff':
      return count(state.failures, 'failure');
    default:
      return '';
  }
}

/** Why a server is not well. */
export function stateReason(state: ServerState): string | null {
  return state.state === 'failed' || state.state === 'backoff' ? state.reason : null;
}

/** Whether there is something to stop. */
export function isUp(state: ServerState): boolean {
  return state.state === 'running' || state.state === 'starting' || state.state === 'backoff';
}

/** The engine, for the status line. */
export function engineWords(status: DaemonStatus): string {
  const { engine } = status;
  return engine ? `${engine.kind} ${engine.version}${engine.rootless ? ', rootless' : ''}` : 'No engine';
}
