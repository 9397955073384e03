//! Queries of `sock_diag` for single sockets, each identified by its cookie.
//! Sixty of them take a small part of a millisecond, so visible rows can be
//! queried at any time.

use super::diag_info;
use super::diag_message::{self, Part};
use super::diag_request::{self, Extras};
use super::sock_diag::SockDiag;
use crate::model::socket::{Socket, SocketKey};
use crate::model::tcp_info::TcpInfo;
use std::io;

/// Number of queries sent at once. The answers wait in the socket's buffer,
/// where the kernel accounts up to 2 KiB for each; by default it holds 208 KiB.
const BATCH: usize = 64;
/// `ENOENT`: the kernel knows no such socket, or none with this cookie.
const GONE: i32 = 2;

/// Result of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// The socket is there.
    There(Box<(Socket, Option<TcpInfo>)>),
    /// It is not.
    Gone,
}

impl SockDiag {
    /// Reads `TCP_INFO` of existing connections.
    pub(super) fn details(&mut self, sockets: &[Socket]) -> Vec<(SocketKey, TcpInfo)> {
        let mut known = Vec::with_capacity(sockets.len());
        self.ask(sockets, Extras::All, |asked, answer| {
            if let Answer::There(found) = answer
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
        self.ask(sockets, Extras::None, |asked, answer| {
            let now = match answer {
                Answer::There(found) => Some(found.0),
                Answer::Gone => None,
            };
            settled.push((asked.key(), now));
        });
        settled
    }

    /// Queries in batches and passes on the answers. Queries without an answer,
    /// or with an error unrelated to the socket, are skipped.
    fn ask(&mut self, sockets: &[Socket], extras: Extras, mut take: impl FnMut(&Socket, Answer)) {
        let here = self.namespace();
        let ours: Vec<&Socket> = sockets
            .iter()
            .filter(|socket| socket.namespace == here && socket.cookie.is_some())
            .collect();
        for batch in ours.chunks(BATCH) {
            // The next batch may succeed.
            let _ = self.ask_batch(batch, extras, &mut take);
        }
    }

    fn ask_batch(
        &mut self,
        batch: &[&Socket],
        extras: Extras,
        take: &mut impl FnMut(&Socket, Answer),
    ) -> io::Result<()> {
        let mut questions = Vec::new();
        let first = self.reserve_sequences(batch.len());
        let mut sequence = first;
        for socket in batch {
            diag_request::one(socket, extras, sequence, &mut questions);
            sequence = sequence.wrapping_add(1);
        }
        self.send(&questions)?;
        let here = self.namespace();
        // The kernel has answered by the time it has taken the questions.
        while let Some(datagram) = self.receive_if_any()? {
            for message in diag_message::messages(datagram) {
                // Replies to earlier queries have other numbers.
                let place = message.sequence.wrapping_sub(first) as usize;
                let Some(asked) = batch.get(place) else {
                    continue;
                };
                if let Some(answer) = answer(asked, message.part, here) {
                    take(asked, answer);
                }
            }
        }
        Ok(())
    }
}

/// Decodes a message; none if it is unrelated to the socket.
fn answer(asked: &Socket, part: Part<'_>, namespace: u32) -> Option<Answer> {
    match part {
        Part::Entry(entry) => {
            let found = entry.socket(asked.protocol, namespace)?;
            // The kernel compares cookies, too; but a wrong answer would be
            // believed for as long as the socket is shown.
            let same = found.cookie == asked.cookie;
            let info = diag_info::info(entry.attributes());
            same.then(|| Answer::There(Box::new((found, info))))
        }
        Part::Refused(GONE) => Some(Answer::Gone),
        Part::Done(_) | Part::Refused(_) | Part::Malformed => None,
    }
}
