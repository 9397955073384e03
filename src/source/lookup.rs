//! Queries of `sock_diag` for single sockets, each identified by its cookie.
//! Sixty of them take a small part of a millisecond, so visible rows can be
//! queried at any time.

use super::diag_info;
use super::diag_message::{self, DiagPayload};
use super::diag_request::{self, DiagExtensions};
use super::sock_diag::SockDiag;
use crate::model::socket::{Socket, SocketKey};
use crate::model::tcp_info::TcpInfo;
use std::io;

/// Number of queries sent at once. The answers wait in the socket's buffer,
/// where the kernel accounts up to 2 KiB for each; by default it holds 208 KiB.
const BATCH_SIZE: usize = 64;
/// `ENOENT`: the kernel knows no such socket, or none with this cookie.
const ENOENT: i32 = 2;

/// Result of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
enum SocketLookup {
    /// The socket is there.
    Present(Box<(Socket, Option<TcpInfo>)>),
    /// It is not.
    Gone,
}

impl SockDiag {
    /// Reads `TCP_INFO` of existing connections.
    pub(super) fn read_details(&mut self, sockets: &[Socket]) -> Vec<(SocketKey, TcpInfo)> {
        let mut known = Vec::with_capacity(sockets.len());
        self.query(sockets, DiagExtensions::All, |asked, answer| {
            if let SocketLookup::Present(found) = answer
                && let (_, Some(info)) = *found
            {
                known.push((asked.key(), info));
            }
        });
        known
    }

    /// Looks up the current state of sockets; those that cannot be queried are
    /// left out.
    ///
    /// A closed connection is certain: nothing else answers to its addresses.
    /// For a listener or a UDP socket another one with the same port may answer
    /// (`SO_REUSEPORT`), and for a socket that is merely bound none does: such
    /// an answer is as reliable as a table that lacks the socket.
    pub(super) fn look_up(&mut self, sockets: &[Socket]) -> Vec<(SocketKey, Option<Socket>)> {
        let mut settled = Vec::with_capacity(sockets.len());
        self.query(sockets, DiagExtensions::None, |asked, answer| {
            let now = match answer {
                SocketLookup::Present(found) => Some(found.0),
                SocketLookup::Gone => None,
            };
            settled.push((asked.key(), now));
        });
        settled
    }

    /// Queries in batches and passes on the answers. Queries without an answer,
    /// or with an error unrelated to the socket, are skipped.
    fn query(
        &mut self,
        sockets: &[Socket],
        extras: DiagExtensions,
        mut take: impl FnMut(&Socket, SocketLookup),
    ) {
        let here = self.namespace();
        let ours: Vec<&Socket> = sockets
            .iter()
            .filter(|socket| socket.namespace == here && socket.cookie.is_some())
            .collect();
        for batch in ours.chunks(BATCH_SIZE) {
            // The next batch may succeed.
            let _ = self.query_batch(batch, extras, &mut take);
        }
    }

    fn query_batch(
        &mut self,
        batch: &[&Socket],
        extras: DiagExtensions,
        take: &mut impl FnMut(&Socket, SocketLookup),
    ) -> io::Result<()> {
        let mut questions = Vec::new();
        let first = self.reserve_sequences(batch.len());
        let mut sequence = first;
        for socket in batch {
            diag_request::append_query(socket, extras, sequence, &mut questions);
            sequence = sequence.wrapping_add(1);
        }
        self.send(&questions)?;
        let here = self.namespace();
        // The kernel has answered by the time it has taken the questions.
        while let Some(datagram) = self.try_receive()? {
            for message in diag_message::messages(datagram) {
                // Replies to earlier queries have other numbers.
                let place = message.sequence.wrapping_sub(first) as usize;
                let Some(asked) = batch.get(place) else {
                    continue;
                };
                if let Some(answer) = decode_answer(asked, message.payload, here) {
                    take(asked, answer);
                }
            }
        }
        Ok(())
    }
}

/// Decodes a message; none if it is unrelated to the socket.
fn decode_answer(asked: &Socket, part: DiagPayload<'_>, namespace: u32) -> Option<SocketLookup> {
    match part {
        DiagPayload::Socket(entry) => {
            let found = entry.decode_socket(asked.protocol, namespace)?;
            // The kernel compares cookies, too; but a wrong answer would be
            // believed for as long as the socket is shown.
            let same = found.cookie == asked.cookie;
            let info = diag_info::parse_info(entry.attributes());
            same.then(|| SocketLookup::Present(Box::new((found, info))))
        }
        DiagPayload::Error(ENOENT) => Some(SocketLookup::Gone),
        DiagPayload::Done(_) | DiagPayload::Error(_) | DiagPayload::Malformed => None,
    }
}
