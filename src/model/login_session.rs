//! The connection of the user's login: closing it would lock them out.

use super::endpoint::Endpoint;
use super::process::Process;
use super::protocol::Protocol;
use super::socket::Socket;
use std::net::IpAddr;

/// The login session this program runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginSession {
    /// This machine's end and the peer's, as sshd reports them.
    pub endpoints: Option<(Endpoint, Endpoint)>,
}

impl LoginSession {
    /// The ends in `SSH_CONNECTION` (ssh(1)): address and port of the client,
    /// then of the server. This machine's end comes first here.
    #[must_use]
    pub fn parse_ssh_connection(ssh_connection: &str) -> Option<(Endpoint, Endpoint)> {
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
    pub fn may_be_carried_by<'p>(
        &self,
        socket: &Socket,
        owners: impl IntoIterator<Item = &'p Process>,
    ) -> bool {
        if socket.protocol != Protocol::Tcp || socket.peer().is_none() {
            return false;
        }
        let named = self.endpoints == Some((socket.local, socket.remote));
        named || owners.into_iter().any(is_login_server)
    }
}

/// True if a process carries logins: sshd with its parts, or dropbear.
fn is_login_server(process: &Process) -> bool {
    let name = process.name.as_str();
    ["sshd", "dropbear"]
        .iter()
        .any(|server| name.starts_with(server))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::protocol::IpFamily;
    use crate::model::state::State;
    use crate::model::text::Text;

    #[test]
    fn ssh_connection_is_parsed() {
        let ends = |text| {
            let (local, remote) = LoginSession::parse_ssh_connection(text)?;
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
    fn login_session_is_recognised_by_endpoints_or_server() {
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
            socket_family: IpFamily::Inet.into(),
            state: State::Established,
        };
        let owner = |pid: u32, name: &str| Process {
            pid,
            name: Text::from(name),
            ..Process::default()
        };
        let session = LoginSession {
            endpoints: LoginSession::parse_ssh_connection("198.51.100.23 50514 192.0.2.10 22"),
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
            let carried = session.may_be_carried_by(&connection(remote), [&owner]);
            assert_eq!(carried, expected, "{remote} {owner:?}");
        }
    }
}
