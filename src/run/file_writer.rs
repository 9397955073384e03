//! Writes files as the user who called sudo, so that `sudo tcplens baseline save` works
//! in that user's directory and leaves a file of that user.
//!
//! Root drops the capability to write everywhere before it reads anything, and would
//! follow links of the folder's owner with the rights of root. A user belongs to a
//! thread (credentials(7)): so one thread becomes that user permanently while it still
//! can, and writes with that user's rights and no others.

use crate::config::file::FileError;
use crate::privilege;
use std::io::ErrorKind;
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// The user who called sudo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invoker {
    /// The user (`SUDO_UID`).
    pub uid: u32,
    /// The user's group (`SUDO_GID`).
    pub gid: u32,
}

type WriteJob = Box<dyn FnOnce() + Send>;

/// Writes files, as the invoker if there is one.
#[derive(Debug)]
pub struct FileWriter {
    /// Leads to the thread that is the invoker.
    invoker: Option<Sender<WriteJob>>,
}

impl FileWriter {
    /// Must be started before privileges are given up. Where a thread cannot become
    /// the invoker (in a user namespace that does not know them), this program's own
    /// rights have to do.
    #[must_use]
    pub fn start_thread(invoker: Option<Invoker>) -> Self {
        Self {
            invoker: invoker.and_then(start),
        }
    }

    /// Writes with the rights of the invoker; where those do not reach, as in a folder
    /// of root, with this program's own, but without capabilities.
    ///
    /// # Errors
    ///
    /// Those of the writing.
    pub fn write(
        &self,
        write: impl Fn() -> Result<(), FileError> + Clone + Send + 'static,
    ) -> Result<(), FileError> {
        match self.run_as_invoker(write.clone()) {
            Some(Err(error)) if error.is(ErrorKind::PermissionDenied) => {}
            Some(done) => return done,
            None => {}
        }
        privilege::without_capabilities(write)
    }

    /// None without an invoker.
    fn run_as_invoker<T: Send + 'static>(
        &self,
        deed: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (result, done) = channel();
        let deed = Box::new(move || drop(result.send(deed())));
        self.invoker.as_ref()?.send(deed).ok()?;
        done.recv().ok()
    }
}

fn start(invoker: Invoker) -> Option<Sender<WriteJob>> {
    let (deeds, asked) = channel::<WriteJob>();
    let (ready, became) = channel();
    let spawned = thread::Builder::new()
        .name("writer".to_owned())
        .spawn(move || {
            let is_ready = privilege::become_user(invoker.uid, invoker.gid).is_ok();
            let _ = ready.send(is_ready);
            if is_ready {
                for deed in asked {
                    deed();
                }
            }
        });
    spawned.ok()?;
    became.recv().ok()?.then_some(deeds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file;
    use std::fs;

    #[test]
    fn without_an_invoker_ones_own_rights_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let write = move || file::create(&path, "x", false);
        let writer = FileWriter::start_thread(None);
        writer.write(write.clone()).unwrap();
        let again = writer.write(write);
        assert!(matches!(again, Err(FileError::Exists { .. })), "{again:?}");
        let text = fs::read_to_string(folder.path().join("file"));
        assert_eq!(text.unwrap(), "x");
    }
}
