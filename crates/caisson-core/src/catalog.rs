//! Where servers come from: a source becomes an image with an exact version. Nothing of a package runs on the host.
