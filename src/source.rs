//! Reads the kernel: sockets, owners, users and settings.
