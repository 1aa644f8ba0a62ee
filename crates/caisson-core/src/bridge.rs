//! MCP towards clients: Streamable HTTP on 127.0.0.1, a path per server. It never talks to a server but through a session.
