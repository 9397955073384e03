//! The connection through which the person is logged in: closing it would
//! leave them outside.

use super::endpoint::Endpoint;
use super::process::Process;
use super::protocol::Protocol;
use super::socket::Socket;
use std::net::IpAddr;

/// What is known of the session this program runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// This machine's end and the peer's, as sshd told them.
    pub ends: Option<(Endpoint, Endpoint)>,
    /// The processes this program was started by, its parent first.
    pub ancestors: Vec<u32>,
}

impl Session {
    /// The ends in `SSH_CONNECTION` (ssh(1)): address and port of the client,
    /// then of the server. This machine's end comes first here.
    #[must_use]
    pub fn ends_of(ssh_connection: &str) -> Option<(Endpoint, Endpoint)> {
        let mut words = ssh_connection.split_whitespace();
        let mut end = || {
            let address = words.next()?;
            // The kernel's table has the interface apart.
            let (address, _) = address.split_once('%').unwrap_or((address, ""));
            let address: IpAddr = address.parse().ok()?;
            Some(Endpoint::new(address, words.next()?.parse().ok()?))
        };
        let client = end()?;
        Some((end()?, client))
    }

    /// Whether a socket carries it: it has its ends, or the sshd that this
    /// program descends from holds it (sudo takes `SSH_CONNECTION` away).
    pub fn is_carried_by<'p>(
        &self,
        socket: &Socket,
        owners: impl IntoIterator<Item = &'p Process>,
    ) -> bool {
        if socket.protocol != Protocol::Tcp || socket.peer().is_none() {
            return false;
        }
        let named = self.ends == Some((socket.local, socket.remote));
        named
            || owners.into_iter().any(|owner| {
                owner.name.as_str().starts_with("sshd") && self.ancestors.contains(&owner.pid)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
