import { Channel, invoke } from '@tauri-apps/api/core';
import type { Methods } from './bindings/api';
import type { Link } from './bindings/desktop';
import type { CallOptions, Method, NoticeBody, Transport } from './transport';

let lastCall = 0;

/** The desktop's shell, which relays to the control API. */
export const tauri: Transport = {
  call<M extends Method>(method: M, params: Methods[M]['params'], options: CallOptions = {}) {
    const call = ++lastCall;
    const { onNotice, signal } = options;
    const notices = new Channel<NoticeBody>(onNotice);
    signal?.addEventListener('abort', () => void invoke('cancel', { call }), { once: true });
    return invoke<Methods[M]['reply']>('control', { call, method, params, notices });
  },

  watch(onLink) {
    void invoke('watch_link', { link: new Channel<Link>(onLink) });
  },
};
