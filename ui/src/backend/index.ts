// All that the pages know of the world: the control API, typed, and how the way to it stands.

import type { ApiError, Methods } from './bindings/api';
import type { Link } from './bindings/desktop';
import { tauri } from './tauri';
import type { CallOptions, Method, Transport } from './transport';

export type {
  ApiError,
  Check,
  DaemonStatus,
  Event,
  HostRule,
  Lasting,
  PinKind,
  PlanRow,
  Prepared,
  Progress,
  Quarantined,
  Question,
  Refused,
  RemovedServer,
  ServerName,
  ServerStats,
  ServerState,
  ServerView,
  Stats,
} from './bindings/api';
export type { Link } from './bindings/desktop';
export type { NoticeBody } from './transport';

const transport: Transport = tauri;

/** Asks the process that owns the servers. Rejects with an `ApiError`, whatever went wrong. */
export async function call<M extends Method>(
  method: M,
  params: Methods[M]['params'],
  options?: CallOptions,
): Promise<Methods[M]['reply']> {
  try {
    return await transport.call(method, params, options);
  } catch (fault) {
    throw asApiError(fault);
  }
}

/** Tells how the way to that process stands: at once, and whenever it changes. */
export function watchLink(onLink: (link: Link) => void): void {
  transport.watch(onLink);
}

/** A caught value as the API's error. */
export function asApiError(fault: unknown): ApiError {
  if (typeof fault === 'object' && fault !== null && 'code' in fault && 'what' in fault) {
    return fault as ApiError;
  }
  return { code: 'internal', what: 'The window could not ask Caisson', why: String(fault) };
}
