//! The connection of the user's login: closing it would lock them out.

use super::endpoint::Endpoint;
use super::process::Process;
use super::protocol::Protocol;
use super::socket::Socket;
use std::net::IpAddr;

/// The login session this program runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// This machine's end and the peer's, as sshd reports them.
    pub ends: Option<(Endpoint, Endpoint)>,
}

impl Session {
    /// The ends in `SSH_CONNECTION` (ssh(1)): address and port of the client,
    /// then of the server. This machine's end comes first here.
    #[must_use]
    pub fn ends_of(ssh_connection: &str) -> Option<(Endpoint, Endpoint)> {
        let mut words = ssh_connection.split_whitespace();
        let mut end = || {
            let address = words.next()?;
            // The kernel's table stores the interface separately.
            let (address, _) = address.split_once('%').unwrap_or((address, ""));
            let address: IpAddr = address.parse().ok()?;
            Some(Endpoint::new(address, words.next()?.parse().ok()?))
        };
        let client = end()?;
        Some((end()?, client))
    }

    /// True if a socket carries the session, or may: it has its ends, or a login
    /// server holds it. Which of those is the user's own is uncertain: sudo
    /// removes `SSH_CONNECTION`, and under tmux or screen it is that of the first
    /// login, and sshd no ancestor.
    pub fn is_carried_by<'p>(
        &self,
        socket: &Socket,
        owners: impl IntoIterator<Item = &'p Process>,
    ) -> bool {
        if socket.protocol != Protocol::Tcp || socket.peer().is_none() {
            return false;
        }
        let named = self.ends == Some((socket.local, socket.remote));
        named || owners.into_iter().any(serves_logins)
    }
}

/// True if a process carries logins: sshd with its parts, or dropbear.
fn serves_logins(process: &Process) -> bool {
    let name = process.name.as_str();
    ["sshd", "dropbear"]
        .iter()
        .any(|server| name.starts_with(server))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::protocol::Family;
    use crate::model::state::State;
    use crate::model::text::Text;

    #[test]
    fn what_sshd_tells_is_understood() {
        let ends = |text| {
            let (local, remote) = Session::ends_of(text)?;
            Some(format!("{local} {remote}"))
        };
        let cases = [
            (
                "198.51.100.23 50514 192.0.2.10 22",
                Some("192.0.2.10:22 198.51.100.23:50514"),
            ),
            (
                "fe80::1%eth0 50514 fe80::2%eth0 22",
                Some("[fe80::2]:22 [fe80::1]:50514"),
            ),
            ("UNKNOWN 65535 UNKNOWN 65535", None),
            ("198.51.100.23 50514", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(ends(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_session_is_known_by_its_ends_or_by_who_serves_it() {
        let end = |text: &str| {
            let at: std::net::SocketAddr = text.parse().unwrap();
            Endpoint::new(at.ip(), at.port())
        };
        let connection = |remote: &str| Socket {
            cookie: None,
            local: end("192.0.2.10:22"),
            remote: end(remote),
            inode: None,
            uid: 0,
            interface: 0,
            recv_queue: 0,
            send_queue: 0,
            namespace: 1,
            timer: None,
            protocol: Protocol::Tcp,
            opened: Family::Inet.into(),
            state: State::Established,
        };
        let owner = |pid: u32, name: &str| Process {
            pid,
            name: Text::from(name),
            ..Process::default()
        };
        let session = Session {
            ends: Session::ends_of("198.51.100.23 50514 192.0.2.10 22"),
        };
        let (ours, other) = ("198.51.100.23:50514", "198.51.100.23:50515");
        let cases = [
            (ours, owner(7, "nginx"), true),
            (other, owner(850, "sshd-session"), true),
            (other, owner(852, "dropbear"), true),
            (other, owner(900, "bash"), false),
            // A listener of the same sshd carries no login.
            ("0.0.0.0:0", owner(850, "sshd"), false),
        ];
        for (remote, owner, expected) in cases {
            let carried = session.is_carried_by(&connection(remote), [&owner]);
            assert_eq!(carried, expected, "{remote} {owner:?}");
        }
    }
}
