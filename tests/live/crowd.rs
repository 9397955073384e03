//! What an ordinary machine has many of: connections within it, with and
//! without bytes under way, and what is left of others.

use super::NOBODY;
use super::namespace::LabNamespace;
use rustix::fs::{Gid, Uid, fchown};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

/// How many connections of each kind.
const MANY: usize = 20;

/// The sockets, for as long as this is kept. This process holds them.
#[derive(Default)]
pub(crate) struct Crowd {
    kept: Vec<OwnedFd>,
}

impl Crowd {
    pub(crate) fn gather(namespace: &LabNamespace) -> Self {
        let mut crowd = Self::default();
        for number in 0..MANY {
            for (here, there) in [
                ("127.0.0.1:0", "127.0.0.1"),
                ("[::1]:0", "::1"),
                // IPv4 between IPv6 sockets.
                ("[::]:0", "::ffff:127.0.0.1"),
            ] {
                let (mut client, mut server) = pair(here, there);
                if number % 2 == 0 {
                    client.write_all(&[7; 33]).unwrap();
                    server.write_all(&[7; 1500]).unwrap();
                }
                crowd.keep([client, server]);
                let (client, mut server) = pair(here, there);
                // The client first: TIME_WAIT stays on its side.
                drop(client);
                assert_eq!(server.read(&mut [0; 8]).unwrap(), 0, "the end");
            }
        }
        if namespace.created_by_root() {
            crowd.of_another_user();
        }
        crowd
    }

    fn of_another_user(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (client, server) = pair("127.0.0.1:0", "127.0.0.1");
        let nobody = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
        for socket in [listener.as_fd(), client.as_fd()] {
            fchown(socket, Some(nobody.0), Some(nobody.1)).unwrap();
        }
        self.kept.push(listener.into());
        self.keep([client, server]);
    }

    fn keep(&mut self, ends: [TcpStream; 2]) {
        self.kept.extend(ends.map(OwnedFd::from));
    }
}

/// Two ends of a connection: who connected, and who accepted.
fn pair(here: &str, there: &str) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(here).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(SocketAddr::new(there.parse().unwrap(), port)).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server)
}
