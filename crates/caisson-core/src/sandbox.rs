//! Turns a server's permissions into a `Plan`, and keeps the server running. Only here a `Plan` is made.
