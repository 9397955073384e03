//! Another process that holds a socket.

use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

/// It ends when its input does.
pub(crate) struct Other(pub(crate) Child);

impl Other {
    /// A process that holds a socket as its descriptor 1, which it never
    /// writes to.
    pub(crate) fn holding(socket: impl Into<OwnedFd>, command: &mut Command) -> Self {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::from(socket.into()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
