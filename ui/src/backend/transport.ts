import type { Methods, Notice } from './bindings/api';
import type { Link } from './bindings/desktop';

/** A method of the control API. */
export type Method = keyof Methods;

type WithoutRequest<T> = T extends unknown ? Omit<T, 'request'> : never;

/** What a running request tells besides its reply. */
export type NoticeBody = WithoutRequest<Notice>;

/** How one request wants to be treated. */
export interface CallOptions {
  /** Is told what the request says while it runs, and, for a subscription, after it. */
  onNotice?: (notice: NoticeBody) => void;
  /** Cancels the request. */
  signal?: AbortSignal;
}

/**
 * The way to the process that owns the servers. The desktop's shell is one; a browser's window over
 * loopback may be another.
 */
export interface Transport {
  /** Asks. Rejects with an `ApiError`. */
  call<M extends Method>(
    method: M,
    params: Methods[M]['params'],
    options?: CallOptions,
  ): Promise<Methods[M]['reply']>;
  /** Tells how the way stands: at once, and whenever that changes. */
  watch(onLink: (link: Link) => void): void;
}
