//! Whose sockets a rule counts together: those of a process, or where none is
//! seen those of a user on a local port.

use super::standing::Holder;
use super::{Actor, Scene};
use crate::model::finding::UnseenHolder;
use crate::model::owner::Unowned;
use crate::model::process::acceptors;
use crate::model::row::Row;

/// Key of sockets that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    /// Those of a process.
    Process(Actor),
    /// Those of a user on a local port, whose process is not seen.
    Unseen(UnseenHolder),
}

impl<'a> Scene<'a> {
    /// The holder of a row, as far as it is known.
    pub(super) fn holder(&self, row: &Row) -> Holder<'a> {
        let process = self.first_owner(row);
        let unseen = UnseenHolder::of(row).filter(|_| process.is_none());
        Holder {
            process,
            unseen,
            ..Holder::default()
        }
    }

    /// Whose sockets a row is counted among; none where a program that is not
    /// seen does not hold it, or may not.
    pub(super) fn party(&self, row: &Row) -> Option<(Party, Holder<'a>)> {
        let holder = self.holder(row);
        let party = match (holder.process, holder.unseen) {
            (Some(process), _) => Party::Process(Actor::of(process)),
            (None, Some(unseen)) if matches!(unseen.reason, Unowned::Hidden | Unowned::Kernel) => {
                Party::Unseen(unseen)
            }
            _ => return None,
        };
        Some((party, holder))
    }

    /// The processes that accept at a listener.
    pub(super) fn acceptors(&self, row: &Row) -> Holder<'a> {
        let mut holding: Vec<_> = row
            .owners
            .of(self.holders)
            .iter()
            .filter_map(|holder| self.interner.get(holder.process))
            .collect();
        holding.dedup_by_key(|process| process.pid);
        let accepting = acceptors(&holding);
        Holder {
            process: accepting.first().copied(),
            workers: accepting.into_iter().skip(1).collect(),
            ..self.holder(row)
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::finding::{Rule, Severity};
    use crate::model::observation::Observation;
    use crate::model::owner::{OwnerSearch, Unowned};
    use crate::model::reading::{Matter, Reading, Snapshot};
    use crate::model::socket::Socket;
    use crate::model::state::State;
    use crate::model::tcp_info::TcpInfo;
    use crate::monitor::fixture::{reading, table, with_cookie};
    use crate::monitor::{Monitor, MonitorOptions};
    use std::sync::Arc;

    /// Sixty sockets of a user on one port, in `CLOSE_WAIT`.
    fn leak() -> Vec<Socket> {
        let port = crate::model::endpoint::Endpoint::new([192, 0, 2, 10].into(), 8081);
        (1..=60_u16)
            .map(|number| Socket {
                local: port,
                uid: 1001,
                ..with_cookie(number.into(), State::CloseWait)
            })
            .collect()
    }

    fn watched(table: impl Fn() -> Snapshot, details: &[(Socket, u32)]) -> Arc<Observation> {
        let mut monitor = Monitor::default();
        for second in [0, 30, 60, 70] {
            monitor.fold(reading(second * 1000, table()));
            let read = details.iter().map(|(socket, last_data_sent_ms)| {
                let info = TcpInfo {
                    last_data_sent_ms: *last_data_sent_ms,
                    ..TcpInfo::default()
                };
                (socket.key(), info)
            });
            monitor.fold(Reading {
                matter: Matter::Details(read.collect()),
                ..reading(second * 1000, table())
            });
        }
        monitor.fold(reading(71_000, table())).unwrap()
    }

    #[test]
    fn a_leak_of_a_hidden_process_is_found_by_user_and_port() {
        let sockets = leak();
        let hidden = || {
            let mut hidden = table(&sockets);
            hidden.owner_search = OwnerSearch::InPart;
            hidden.holders.clear();
            for span in &mut hidden.owners {
                span.count = 0;
            }
            hidden
        };
        let seen = watched(hidden, &[]);
        let [found] = seen.findings.as_slice() else {
            panic!("{:?}", seen.findings)
        };
        assert_eq!(found.evidence.rule(), Rule::CloseWait);
        assert_eq!(
            (found.severity, found.evidence.size()),
            (Severity::Warn, 60)
        );
        let unseen = found.holder.unseen.unwrap();
        assert_eq!((unseen.reason, unseen.uid), (Unowned::Hidden, Some(1001)));
        let about = seen
            .rows
            .iter()
            .filter(|row| found.is_about(row, std::iter::empty()));
        assert_eq!(about.count(), 60);
        let other = Socket {
            uid: 1002,
            ..sockets[0]
        };
        assert!(!found.lead().fits(&other));
    }

    #[test]
    fn a_half_closed_connection_that_still_sends_is_no_leak() {
        let sockets = leak();
        let idle = watched(|| table(&sockets), &[]);
        assert_eq!(idle.findings.len(), 1);
        let sending: Vec<(Socket, u32)> = sockets.iter().map(|each| (*each, 40)).collect();
        let sends = watched(|| table(&sockets), &sending);
        assert!(sends.findings.is_empty(), "{:?}", sends.findings);
        let silent: Vec<(Socket, u32)> = sockets.iter().map(|each| (*each, 90_000)).collect();
        assert_eq!(watched(|| table(&sockets), &silent).findings.len(), 1);
    }

    #[test]
    fn nothing_is_found_about_a_staged_process() {
        let sockets = leak();
        let mut monitor = Monitor::new(MonitorOptions {
            staged: &["program-100"],
            ..MonitorOptions::default()
        });
        monitor.fold(reading(0, table(&sockets)));
        let seen = monitor.fold(reading(70_000, table(&sockets))).unwrap();
        assert!(seen.findings.is_empty(), "{:?}", seen.findings);
    }
}
