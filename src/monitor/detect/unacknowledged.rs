//! Rule: data is retransmitted again and again, and nothing acknowledges it:
//! the peer is gone, the path is cut, or a packet filter drops one direction. A
//! program that sets no limit learns of it after about 15 minutes
//! (`tcp_retries2`), and keepalive does not run meanwhile.
//!
//! Connections made from here are grouped by process and destination. Those of
//! clients are grouped by process and port: single clients vanish every day, so
//! only a share of them is worth a warning.

use super::active_findings::{ActiveFindings, TriggerLevel};
use super::detector::{Detector, DetectorInput};
use super::table_context::{ProcessKey, TableContext};
use crate::model::endpoint::Endpoint;
use crate::model::evidence::{Evidence, UnacknowledgedEvidence};
use crate::model::finding::{Finding, Severity};
use crate::model::owner::NoOwnerReason;
use crate::model::process::Process;
use crate::model::row::Row;
use crate::model::socket::SocketKey;
use crate::model::state::State;
use crate::model::time::Timestamp;
use crate::model::timer::{Timer, TimerKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Minimum number of retransmissions: a path with a slow round trip reaches the
/// time limit with fewer.
const MIN_RETRANSMITS: u8 = 3;
/// Maximum number of silent destinations of a process with a finding each; more
/// are one finding.
const MAX_SINGLE_DESTINATIONS: usize = 5;
/// Shortest first wait for an acknowledgement (kernel: `TCP_RTO_MIN`), seconds.
const MIN_RTO_S: f64 = 0.2;
/// Longest wait between two tries (kernel: `TCP_RTO_MAX`), seconds.
const MAX_RTO_S: f64 = 120.0;

/// A finding per owner and destination.
#[derive(Default)]
pub(super) struct UnacknowledgedDetector {
    known: BTreeMap<SocketKey, SilenceStart>,
    before: Option<Timestamp>,
    active: ActiveFindings<UnacknowledgedKey>,
}

/// Time at which a connection was first seen silent, and its silence by then.
#[derive(Clone, Copy, Debug)]
struct SilenceStart {
    first_seen: Timestamp,
    before_seen: Duration,
}

/// Key of the connections that are evaluated together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct UnacknowledgedKey {
    namespace: u32,
    owner: KeyOwner,
    to: KeyTarget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KeyOwner {
    Process(ProcessKey),
    /// A hidden process of this user.
    User(u32),
    /// No program holds it any more.
    Nobody,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KeyTarget {
    Destination(Endpoint),
    /// More than a few destinations.
    Destinations,
    /// Clients of the listener on this port.
    Clients(u16),
}

/// A connection that retransmits.
struct SilentConnection<'a> {
    row: &'a Row,
    process: Option<&'a Arc<Process>>,
    group: UnacknowledgedKey,
    lasted: Duration,
}

impl Detector for UnacknowledgedDetector {
    fn evaluate(&mut self, case: &DetectorInput<'_>) -> Vec<Finding> {
        let mut silent = self.observe(case.context);
        let after = case.limits.unacknowledged_after;
        let (long, short): (Vec<_>, Vec<_>) = {
            merge_destinations(&mut silent, after);
            silent.into_iter().partition(|each| each.lasted >= after)
        };
        let mut groups: BTreeMap<UnacknowledgedKey, Vec<SilentConnection<'_>>> = BTreeMap::new();
        for each in long {
            groups.entry(each.group).or_default().push(each);
        }
        let clients = count_clients(case.context, &groups);
        for (group, silent) in &groups {
            let evidence = evidence(*group, silent);
            let all = clients.get(&(group.namespace, group.to)).copied();
            let few = all.is_some_and(|all| {
                f64::from(evidence.sockets) < f64::from(all) * case.limits.unacknowledged_share
            });
            // Where only a FIN is left, no byte is lost, and the kernel removes
            // the socket within minutes.
            let severity = if few || evidence.bytes == 0 {
                Severity::Info
            } else {
                Severity::Warning
            };
            let process = silent.iter().find_map(|each| each.process);
            let level = TriggerLevel::Raise(severity, Evidence::Unacknowledged(evidence));
            self.active.update(*group, process, level, case.now);
        }
        // Fewer retransmissions keep an active finding.
        for each in short
            .iter()
            .filter(|each| !groups.contains_key(&each.group))
        {
            let evidence = evidence(each.group, std::slice::from_ref(each));
            let level = TriggerLevel::Sustain(Evidence::Unacknowledged(evidence));
            let process = each.process;
            self.active.update(each.group, process, level, case.now);
        }
        self.active.finish_round(case.now, case.limits.clearing)
    }
}

impl UnacknowledgedDetector {
    /// Returns all connections that retransmit, with the time for which each
    /// has.
    fn observe<'a>(&mut self, scene: &TableContext<'a>) -> Vec<SilentConnection<'a>> {
        let mut known = BTreeMap::new();
        let mut silent = Vec::new();
        for row in scene.row_groups.queued(scene.rows) {
            let Some(timer) = unanswered_timer(row) else {
                continue;
            };
            let key = row.socket.key();
            let began = self.known.get(&key).copied();
            let began = began.unwrap_or_else(|| {
                let least = min_silence(timer);
                // It was not silent in the table before.
                let most = self.before.map(|before| before.age(scene.now));
                SilenceStart {
                    first_seen: scene.now,
                    before_seen: most.map_or(least, |most| least.min(most)),
                }
            });
            known.insert(key, began);
            if timer.retransmits < MIN_RETRANSMITS
                || row.no_owner_reason == Some(NoOwnerReason::Pending)
            {
                continue;
            }
            silent.push(SilentConnection::of(
                row,
                scene,
                began.before_seen + began.first_seen.age(scene.now),
            ));
        }
        self.known = known;
        self.before = Some(scene.now);
        silent
    }
}

impl<'a> SilentConnection<'a> {
    fn of(row: &'a Row, scene: &TableContext<'a>, lasted: Duration) -> Self {
        let process = scene.first_owner(row).or_else(|| {
            let last = row.last_owner?.process();
            scene.interner.get(last).filter(|process| process.pid != 0)
        });
        let owner = match (process, row.socket.inode) {
            (Some(process), _) => KeyOwner::Process(ProcessKey::of(process)),
            (None, Some(_)) => KeyOwner::User(row.socket.uid),
            (None, None) => KeyOwner::Nobody,
        };
        let to = if scene.listeners.any_match(scene.rows, &row.socket) {
            KeyTarget::Clients(row.socket.local.port)
        } else {
            KeyTarget::Destination(row.socket.remote)
        };
        Self {
            row,
            process,
            group: UnacknowledgedKey {
                namespace: row.socket.namespace,
                owner,
                to,
            },
            lasted,
        }
    }
}

/// Returns the timer of a connection whose data is retransmitted, or whose
/// window is probed, without an answer.
fn unanswered_timer(row: &Row) -> Option<Timer> {
    let stands = match row.socket.state {
        State::Established | State::CloseWait | State::FinWait1 => true,
        // A program that has only shut down waits for the end, as long as the kernel
        // tries; what it has closed is over soon.
        State::LastAck | State::Closing => row.socket.inode.is_some(),
        _ => false,
    };
    row.socket.timer.filter(|timer| {
        let least = match timer.kind {
            TimerKind::Retransmit => 1,
            // One probe may be under way.
            TimerKind::ZeroWindowProbe => 2,
            _ => return false,
        };
        stands && timer.retransmits >= least
    })
}

/// Minimum time of silence, by the number of retransmissions: each wait is
/// twice as long as the one before.
fn min_silence(timer: Timer) -> Duration {
    let due = f64::from(timer.expires_ms) / 1000.0;
    let tries = i32::from(timer.retransmits).min(64);
    let first = MIN_RTO_S.max(due / 2f64.powi(tries));
    let wait = |number: i32| (first * 2f64.powi(number)).min(MAX_RTO_S);
    let before: f64 = (0..tries).map(wait).sum();
    Duration::from_secs_f64(before + (wait(tries) - due).max(0.0))
}

/// Joins the destinations of an owner with more than a few.
fn merge_destinations(silent: &mut [SilentConnection<'_>], after: Duration) {
    let mut destinations: BTreeMap<(u32, KeyOwner), BTreeSet<KeyTarget>> = BTreeMap::new();
    for each in silent.iter().filter(|each| each.lasted >= after) {
        if let to @ KeyTarget::Destination(_) = each.group.to {
            let whose = (each.group.namespace, each.group.owner);
            destinations.entry(whose).or_default().insert(to);
        }
    }
    for each in silent {
        let whose = (each.group.namespace, each.group.owner);
        let many = destinations
            .get(&whose)
            .is_some_and(|all| all.len() > MAX_SINGLE_DESTINATIONS);
        if many && matches!(each.group.to, KeyTarget::Destination(_)) {
            each.group.to = KeyTarget::Destinations;
        }
    }
}

/// Number of connections of each port that has silent clients.
fn count_clients(
    scene: &TableContext<'_>,
    groups: &BTreeMap<UnacknowledgedKey, Vec<SilentConnection<'_>>>,
) -> BTreeMap<(u32, KeyTarget), u32> {
    let wanted = groups
        .keys()
        .filter(|group| matches!(group.to, KeyTarget::Clients(_)));
    let mut counts: BTreeMap<(u32, KeyTarget), u32> = wanted
        .map(|group| ((group.namespace, group.to), 0))
        .collect();
    if counts.is_empty() {
        // A large table is not walked without need.
        return counts;
    }
    for row in scene.rows.iter().filter(|row| row.socket.is_connection()) {
        let port = (
            row.socket.namespace,
            KeyTarget::Clients(row.socket.local.port),
        );
        if let Some(count) = counts.get_mut(&port) {
            *count += 1;
        }
    }
    counts
}

fn evidence(group: UnacknowledgedKey, silent: &[SilentConnection<'_>]) -> UnacknowledgedEvidence {
    let mut evidence = UnacknowledgedEvidence {
        peer: Endpoint::default(),
        port: match group.to {
            KeyTarget::Clients(port) => Some(port),
            KeyTarget::Destination(_) | KeyTarget::Destinations => None,
        },
        destinations: 0,
        sockets: 0,
        bytes: 0,
        longest: Duration::ZERO,
        retransmits: 0,
        uid: match group.owner {
            KeyOwner::User(user) => Some(user),
            KeyOwner::Process(_) | KeyOwner::Nobody => None,
        },
        include_unowned: false,
    };
    let mut destinations = BTreeSet::new();
    for each in silent {
        let socket = &each.row.socket;
        destinations.insert(socket.remote);
        if evidence.sockets == 0 || each.lasted > evidence.longest {
            evidence.longest = each.lasted;
            evidence.peer = socket.remote;
        }
        let closing = [State::FinWait1, State::LastAck, State::Closing];
        let fin = u32::from(closing.contains(&socket.state));
        evidence.sockets += 1;
        evidence.bytes += u64::from(socket.send_queue.saturating_sub(fin));
        let tries = socket.timer.map_or(0, |timer| timer.retransmits.into());
        evidence.retransmits = evidence.retransmits.max(tries);
        evidence.include_unowned |= each.row.owners.count == 0;
    }
    evidence.destinations = u32::try_from(destinations.len()).unwrap_or(u32::MAX);
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_tell_how_long_it_has_lasted_at_least() {
        let lasted = |retransmits, expires_ms| {
            let timer = Timer {
                kind: TimerKind::Retransmit,
                expires_ms,
                retransmits,
            };
            min_silence(timer).as_millis()
        };
        // Measured: 0.2, 0.6, 1.4, 3.0, 6.2, 12.6 s after the first.
        assert_eq!(lasted(1, 400), 200);
        assert_eq!(lasted(6, 12_800), 12_600);
        assert_eq!(lasted(6, 2_800), 22_600);
        // A slow path: the wait shows how long the first one was.
        assert_eq!(lasted(3, 16_000), 14_000);
        assert_eq!(lasted(15, 120_000), 804_600);
    }
}
