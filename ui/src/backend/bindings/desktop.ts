// Generated from src-tauri/link.rs by `UPDATE_BINDINGS=1 cargo test -p caisson-desktop bindings`.

import type { ApiError } from './api';

/**
 * How the way to the process that owns the servers stands.
 */
export type Link = { "link": "searching" } | { "link": "up",
/**
 * Whether this application is that process.
 */
host: boolean, } | { "link": "down",
/**
 * Why there is none, and what to do.
 */
problem: ApiError, };
