//! Podman and Docker. It runs nothing but a `Plan`.
