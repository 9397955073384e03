//! Logs the actions of root in the system's log: who, on whom, and with what
//! result.
//!
//! One datagram in the form of RFC 3164 to `/dev/log`, where journald and every
//! syslog daemon listen. It carries no time: the daemon adds its own, in its
//! own time zone, which a library would have to guess. Without a log the entry
//! is lost, never the action.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Socket of the daemon.
const SOCKET_PATH: &str = "/dev/log";
/// Facility authpriv (10), severity notice (5): a security matter, and worth
/// knowing (RFC 3164, 4.1.1).
const PRIORITY: u8 = 10 * 8 + 5;
/// A daemon that reads nothing must not hold up the next action for long.
const WRITE_TIMEOUT: Duration = Duration::from_millis(100);

/// The system's log.
#[derive(Debug)]
pub(super) struct Syslog {
    path: PathBuf,
    /// Uid of the login session before it became root.
    login_uid: Option<u32>,
}

impl Syslog {
    pub(super) fn system() -> Self {
        Self::at_path(PathBuf::from(SOCKET_PATH))
    }

    /// The log whose daemon listens there.
    pub(super) fn at_path(path: PathBuf) -> Self {
        Self {
            path,
            login_uid: fs::read_to_string("/proc/self/loginuid")
                .ok()
                .and_then(|text| parse_login_uid(&text)),
        }
    }

    /// Writes one line.
    ///
    /// # Errors
    ///
    /// If no daemon listens, or it does not read.
    pub(super) fn write(&self, deed: &str) -> io::Result<()> {
        send_line(
            &self.path,
            &format_line(std::process::id(), self.login_uid, deed),
        )
    }
}

/// Parses the login uid, which the kernel keeps through sudo and su; -1 means
/// no login (a service).
fn parse_login_uid(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

fn format_line(pid: u32, login: Option<u32>, deed: &str) -> String {
    let who = login.map_or_else(|| "no login".to_owned(), |uid| format!("login uid {uid}"));
    format!("<{PRIORITY}>tcplens[{pid}]: as root ({who}): {deed}")
}

fn send_line(path: &Path, line: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
    socket.send_to(line.as_bytes(), path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_uid_is_logged() {
        assert_eq!(parse_login_uid("1000\n"), Some(1000));
        assert_eq!(parse_login_uid("4294967295"), None);
        assert_eq!(parse_login_uid("nobody"), None);
        assert_eq!(
            format_line(7, Some(1000), "TERM"),
            "<85>tcplens[7]: as root (login uid 1000): TERM"
        );
        assert_eq!(
            format_line(7, None, "x"),
            "<85>tcplens[7]: as root (no login): x"
        );
    }

    #[test]
    fn a_line_is_sent_and_a_missing_or_blocked_daemon_is_an_error() {
        let folder = std::env::temp_dir().join(format!("tcplens-log-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("log");
        let journal = Syslog {
            path: path.clone(),
            login_uid: Some(1000),
        };
        assert!(journal.write("nobody listens").is_err());

        let daemon = UnixDatagram::bind(&path).unwrap();
        journal.write("TERM to nginx").unwrap();
        let mut buffer = [0; 256];
        let length = daemon.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]);
        assert!(text.ends_with("as root (login uid 1000): TERM to nginx"));

        // It reads no more: its queue fills, and then the writer gives up.
        let refused = (0..10_000).find_map(|_| journal.write("x").err());
        assert_eq!(refused.unwrap().kind(), io::ErrorKind::WouldBlock);
        fs::remove_dir_all(&folder).unwrap();
    }
}
