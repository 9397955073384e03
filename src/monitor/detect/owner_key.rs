//! Key of the sockets that a rule counts together: those of a process, or
//! without a known process those of a user on a local port.

use super::active_findings::SocketHolder;
use super::table_context::{ProcessKey, TableContext};
use crate::model::finding::UnknownHolder;
use crate::model::owner::NoOwnerReason;
use crate::model::process::{Process, acceptors};
use crate::model::row::{LastOwner, Row};
use std::sync::Arc;

/// Key of sockets that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OwnerKey {
    /// Those of a process.
    Process(ProcessKey),
    /// Those of a user whose process is unknown, on a local port if known.
    Unknown(UnknownHolder),
}

/// Maker of outbound connections.
#[derive(Clone, Debug)]
pub(super) enum Client {
    /// A process.
    Process(Arc<Process>),
    /// All unknown processes of a user, taken together: each of their
    /// connections has a local port of its own, so that nothing distinguishes
    /// them.
    Unknown(UnknownHolder),
}

impl Client {
    /// The key of its connections.
    pub(super) fn owner_key(&self) -> OwnerKey {
        match self {
            Self::Process(process) => OwnerKey::Process(ProcessKey::of(process)),
            Self::Unknown(unseen) => OwnerKey::Unknown(*unseen),
        }
    }

    /// Returns the process, if it is known.
    pub(super) fn process(&self) -> Option<&Arc<Process>> {
        match self {
            Self::Process(process) => Some(process),
            Self::Unknown(_) => None,
        }
    }

    /// Returns the client as the holder of a finding.
    pub(super) fn holder(&self) -> SocketHolder<'_> {
        match self {
            Self::Process(process) => Some(process).into(),
            Self::Unknown(unseen) => SocketHolder {
                unknown: Some(*unseen),
                ..SocketHolder::default()
            },
        }
    }
}

impl<'a> TableContext<'a> {
    /// Returns the holder of a row, as far as it is known.
    pub(super) fn holder(&self, row: &Row) -> SocketHolder<'a> {
        let process = self.first_owner(row);
        let unseen = UnknownHolder::from_row(row).filter(|_| process.is_none());
        SocketHolder {
            process,
            unknown: unseen,
            ..SocketHolder::default()
        }
    }

    /// Returns the key that a row is counted under; none if no unseen program
    /// holds it, or if that is uncertain.
    pub(super) fn owner_key(&self, row: &Row) -> Option<(OwnerKey, SocketHolder<'a>)> {
        let holder = self.holder(row);
        let party = match (holder.process, holder.unknown) {
            (Some(process), _) => OwnerKey::Process(ProcessKey::of(process)),
            (None, Some(unseen)) if is_held(unseen) => OwnerKey::Unknown(unseen),
            _ => return None,
        };
        Some((party, holder))
    }

    /// Returns the client of a connection opened from here: its owner, its last
    /// owner, or its user where the owner is unknown.
    pub(super) fn client(&self, row: &Row) -> Option<Client> {
        let holder = row.owners.resolve(self.holders).first();
        let last = || row.last_owner.map(LastOwner::process);
        if let Some(id) = holder.map(|holder| holder.process).or_else(last) {
            return self.interner.get(id).cloned().map(Client::Process);
        }
        let unseen = UnknownHolder::from_row(row).filter(|unseen| is_held(*unseen))?;
        Some(Client::Unknown(UnknownHolder {
            port: None,
            ..unseen
        }))
    }

    /// The processes that accept at a listener.
    pub(super) fn acceptors(&self, row: &Row) -> SocketHolder<'a> {
        let mut holding: Vec<_> = row
            .owners
            .resolve(self.holders)
            .iter()
            .filter_map(|holder| self.interner.get(holder.process))
            .collect();
        holding.dedup_by_key(|process| process.pid);
        let accepting = acceptors(&holding);
        SocketHolder {
            process: accepting.first().copied(),
            workers: accepting.into_iter().skip(1).collect(),
            ..self.holder(row)
        }
    }
}

/// True if an unknown program holds the sockets, and not the kernel alone.
fn is_held(unseen: UnknownHolder) -> bool {
    matches!(unseen.reason, NoOwnerReason::Hidden | NoOwnerReason::Kernel)
}

#[cfg(test)]
mod tests {
    use crate::model::endpoint::Endpoint;
    use crate::model::finding::{Finding, Rule, Severity};
    use crate::model::observation::Observation;
    use crate::model::owner::{NoOwnerReason, OwnerSearch, OwnerSpan};
    use crate::model::reading::{Reading, ReadingKind, Snapshot};
    use crate::model::socket::Socket;
    use crate::model::state::State;
    use crate::model::tcp_info::TcpInfo;
    use crate::model::timer::{Timer, TimerKind};
    use crate::monitor::fixture::{reading, table, with_cookie};
    use crate::monitor::{Monitor, MonitorOptions};
    use std::num::NonZeroU64;
    use std::sync::Arc;

    /// Sixty sockets of a user on one port, in `CLOSE_WAIT`.
    fn leak() -> Vec<Socket> {
        let port = Endpoint::new([192, 0, 2, 10].into(), 8081);
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
                kind: ReadingKind::Details(read.collect()),
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
            hidden.owner_search = OwnerSearch::Partial;
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
            (Severity::Warning, 60)
        );
        let unseen = found.holder.unknown.unwrap();
        assert_eq!(
            (unseen.reason, unseen.uid),
            (NoOwnerReason::Hidden, Some(1001))
        );
        let about = seen
            .rows
            .iter()
            .filter(|row| found.is_about(row, std::iter::empty()));
        assert_eq!(about.count(), 60);
        let other = Socket {
            uid: 1002,
            ..sockets[0]
        };
        assert!(!found.row_selector().matches(&other));
    }

    /// Two sockets of each of these users that wait for one destination, in a
    /// table whose owners are hidden.
    fn waiting(users: &[u32]) -> Snapshot {
        let sockets: Vec<Socket> = users
            .iter()
            .flat_map(|uid| [*uid; 2])
            .zip(1_u16..)
            .map(|(uid, number)| Socket {
                uid,
                local: Endpoint::new([192, 0, 2, 10].into(), 40_000 + number),
                remote: Endpoint::new([198, 51, 100, 100].into(), 5432),
                ..with_cookie(number.into(), State::SynSent)
            })
            .collect();
        let mut hidden = table(&sockets);
        hidden.owner_search = OwnerSearch::Partial;
        hidden.holders.clear();
        for span in &mut hidden.owners {
            span.count = 0;
        }
        hidden
    }

    #[test]
    fn hidden_processes_that_wait_are_counted_by_user_over_all_ports() {
        let mut monitor = Monitor::default();
        let mut seen = None;
        for second in 0..20 {
            seen = monitor.fold(reading(second * 1000, waiting(&[1000, 1001])));
        }
        let seen = seen.unwrap();
        let whose = |finding: &Finding| {
            assert_eq!(finding.evidence.rule(), Rule::DeadDestination);
            let unseen = finding.holder.unknown.unwrap();
            (unseen.uid, unseen.port, finding.evidence.size())
        };
        let found: Vec<_> = seen.findings.iter().map(whose).collect();
        assert_eq!(found, [(Some(1000), None, 2), (Some(1001), None, 2)]);
        for finding in &seen.findings {
            let rows = seen.rows.iter();
            let about = rows.filter(|row| finding.is_about(row, std::iter::empty()));
            assert_eq!(about.count(), 2);
        }
    }

    #[test]
    fn what_hidden_processes_reach_counts_once_the_search_is_over() {
        let found_beside = |reached: u16| {
            let mut monitor = Monitor::default();
            let mut seen = None;
            for second in 0..20 {
                let mut table = waiting(&[1000]);
                for number in (100..100 + reached).filter(|_| second > 0) {
                    table.sockets.push(Socket {
                        uid: 1000,
                        local: Endpoint::new([192, 0, 2, 10].into(), 41_000 + number),
                        remote: Endpoint::new([203, 0, 113, 1].into(), number),
                        ..with_cookie(number.into(), State::Established)
                    });
                    table.owners.push(match second {
                        1 => OwnerSpan::PENDING,
                        _ => OwnerSpan::default(),
                    });
                }
                seen = monitor.fold(reading(second * 1000, table));
            }
            seen.unwrap().findings.len()
        };
        assert_eq!(found_beside(0), 1);
        assert_eq!(found_beside(9), 0);
    }

    #[test]
    fn attempts_seen_in_one_table_only_are_not_hidden_processes() {
        let mut monitor = Monitor::default();
        for second in 0..30 {
            // Those of each table are gone from the next.
            let mut hasty = waiting(&[1000]);
            for socket in &mut hasty.sockets {
                let number = socket.cookie.map_or(0, NonZeroU64::get);
                socket.cookie = NonZeroU64::new(number + 2 * second);
                socket.timer = Some(Timer {
                    kind: TimerKind::Retransmit,
                    expires_ms: 900,
                    retransmits: 1,
                });
            }
            let seen = monitor.fold(reading(second * 1000, hasty)).unwrap();
            assert!(seen.findings.is_empty(), "{:?}", seen.findings);
        }
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
            exempt_processes: &["program-100"],
            ..MonitorOptions::default()
        });
        monitor.fold(reading(0, table(&sockets)));
        let seen = monitor.fold(reading(70_000, table(&sockets))).unwrap();
        assert!(seen.findings.is_empty(), "{:?}", seen.findings);
    }
}
