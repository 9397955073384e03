//! Outcome of a signal: process exit, freed ports, and ports taken again.

mod job_messages;

use super::App;
use super::effect::Effect;
use super::notice::Notice;
use super::port_outcome::PortOutcome;
use super::signal_confirmation::{AffectedSockets, SignalConfirmation, TargetRequest};
use crate::model::action::{ProcessTarget, SignalOutcome, SignalRefusal, SignalScope, TargetId};
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::signal::Signal;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Time after the end for which ports are watched for a new process: service
/// managers wait up to some seconds before they restart one.
const PORT_WATCH_MS: u64 = 15_000;
/// Tolerance of start times, which are known to about a second, as is boot time.
const START_TIME_TOLERANCE_MS: u64 = 1500;

/// A signal that was sent to some processes, and its outcome so far.
#[derive(Clone, Debug)]
pub(super) struct SignalJob {
    signal: Signal,
    scope: SignalScope,
    targets: Vec<JobTarget>,
    affected: AffectedSockets,
    before: ProcessSnapshot,
    /// Number of the latest table when the last process ended, and the time.
    last_exit: Option<(u64, u64)>,
    /// Number of ports taken again in the last notice; none before the ports were
    /// reported.
    ports_retaken: Option<usize>,
    /// Text of the last notice.
    last_message: String,
}

/// Processes and time when the signal was sent.
#[derive(Clone, Debug, Default)]
pub(super) struct ProcessSnapshot {
    processes: BTreeSet<(u32, u64)>,
    wall_ms: u64,
}

impl ProcessSnapshot {
    fn from_observation(observation: &Observation) -> Self {
        let processes = observation.processes.iter();
        Self {
            processes: processes
                .map(|process| (process.pid, process.start_ticks))
                .collect(),
            wall_ms: observation.time.wall_ms,
        }
    }

    /// True if a process was started since.
    pub(super) fn is_new(&self, process: &Process) -> bool {
        let known = (process.pid, process.start_ticks);
        let started = process.started_ms.unwrap_or(0);
        !self.processes.contains(&known) && started + START_TIME_TOLERANCE_MS >= self.wall_ms
    }
}

/// A process that was sent the signal.
#[derive(Clone, Debug)]
struct JobTarget {
    id: TargetId,
    target: ProcessTarget,
    process: Arc<Process>,
    /// Number of processes the signal was sent to, for a tree.
    signalled: usize,
    status: SignalStatus,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum SignalStatus {
    /// No result yet.
    Requested,
    /// It received the signal and runs.
    Sent,
    Exited(Duration),
    /// It still runs after this time, although the signal should end it.
    StillRunning(Duration),
    /// It still runs, as expected after this signal.
    KeepsRunning,
    Refused(SignalRefusal),
}

impl JobTarget {
    fn is_running(&self) -> bool {
        matches!(
            self.status,
            SignalStatus::Requested | SignalStatus::Sent | SignalStatus::StillRunning(_)
        )
    }

    fn target_request(&self) -> TargetRequest {
        // It may have closed its socket before it ended.
        let target = ProcessTarget {
            inode: None,
            ..self.target.clone()
        };
        TargetRequest {
            id: self.id,
            target,
            process: Arc::clone(&self.process),
            relation: None,
            remote_only: false,
            facts: None,
        }
    }
}

/// Step to take with a new table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NextStep {
    Wait,
    /// Read the next table at once.
    Refresh,
    /// Report the ports it shows.
    ReportPorts,
}

impl SignalJob {
    pub(super) fn new(
        confirm: SignalConfirmation,
        signal: Signal,
        observation: &Observation,
    ) -> Self {
        let party = |asked: TargetRequest| JobTarget {
            id: asked.id,
            target: asked.target,
            process: asked.process,
            signalled: 1,
            status: SignalStatus::Requested,
        };
        Self {
            signal,
            scope: confirm.scope,
            targets: confirm.targets.into_iter().map(party).collect(),
            affected: confirm.affected,
            before: ProcessSnapshot::from_observation(observation),
            last_exit: None,
            ports_retaken: None,
            last_message: String::new(),
        }
    }

    pub(super) fn scope(&self) -> SignalScope {
        self.scope
    }

    /// Ids under which processes are held.
    pub(super) fn target_ids(&self) -> Vec<TargetId> {
        self.targets.iter().map(|party| party.id).collect()
    }

    /// True if a process is held to watch the outcome of the signal.
    pub(super) fn watches(&self, id: TargetId) -> bool {
        let mut parties = self.targets.iter();
        parties.any(|party| party.id == id && party.is_running())
    }

    /// Returns the existing request that holds a process.
    pub(super) fn existing_request(&self, process: &Process) -> Option<TargetRequest> {
        let same = |party: &&JobTarget| {
            party.is_running()
                && party.target.pid == process.pid
                && party.target.start_ticks == process.start_ticks
        };
        self.targets
            .iter()
            .find(same)
            .map(JobTarget::target_request)
    }

    /// Returns the requests whose process still runs after some seconds.
    pub(super) fn still_running(&self) -> Vec<TargetRequest> {
        let stubborn = |party: &&JobTarget| matches!(party.status, SignalStatus::StillRunning(_));
        self.targets
            .iter()
            .filter(stubborn)
            .map(JobTarget::target_request)
            .collect()
    }

    fn target_mut(&mut self, id: TargetId) -> Option<&mut JobTarget> {
        self.targets.iter_mut().find(|party| party.id == id)
    }

    fn any_status(&self, which: impl Fn(&SignalStatus) -> bool) -> bool {
        self.targets.iter().any(|party| which(&party.status))
    }

    /// True if the outcome for some process is pending.
    fn is_pending(&self) -> bool {
        self.any_status(|fate| matches!(fate, SignalStatus::Requested | SignalStatus::Sent))
    }

    /// True if a process is part of it.
    fn has_target(&self, id: TargetId) -> bool {
        self.targets.iter().any(|party| party.id == id)
    }

    /// Returns the step that a table requires.
    fn next_step(&self, observation: &Observation) -> NextStep {
        let runs = || self.any_status(|fate| matches!(fate, SignalStatus::StillRunning(_)));
        match self.last_exit {
            Some(_) if self.is_pending() || runs() => NextStep::Wait,
            Some((then, _)) if observation.table_number < then + 2 => NextStep::Refresh,
            Some(_) => NextStep::ReportPorts,
            None => NextStep::Wait,
        }
    }

    /// True if no further outcome is expected.
    fn is_over(&self, observation: &Observation) -> bool {
        if self.is_pending()
            || self.any_status(|fate| matches!(fate, SignalStatus::StillRunning(_)))
        {
            return false;
        }
        self.last_exit
            .is_none_or(|(_, then)| observation.time.monotonic_ms >= then + PORT_WATCH_MS)
    }
}

/// Maximum number of signals tracked at once; the oldest are released.
const MAX_JOBS: usize = 8;

impl App {
    /// Tracks the outcome of a signal. A process that was signalled before is
    /// tracked as part of the new one.
    pub(super) fn track_job(&mut self, job: SignalJob) -> Vec<Effect> {
        let taken_over = job.target_ids();
        for earlier in &mut self.signal_jobs {
            earlier
                .targets
                .retain(|party| !taken_over.contains(&party.id));
        }
        self.signal_jobs
            .retain(|earlier| !earlier.targets.is_empty());
        let surplus = (self.signal_jobs.len() + 1).saturating_sub(MAX_JOBS);
        let dropped: Vec<SignalJob> = self.signal_jobs.drain(..surplus).collect();
        self.signal_jobs.push(job);
        let ids = dropped.iter().flat_map(SignalJob::target_ids);
        ids.flat_map(|id| self.release_target(id)).collect()
    }

    /// Records the number of processes in a tree that was signalled.
    pub(super) fn tree_signalled(&mut self, id: TargetId, count: usize) -> Vec<Effect> {
        let mut jobs = self.signal_jobs.iter_mut();
        if let Some(party) = jobs.find_map(|job| job.target_mut(id)) {
            party.signalled = count;
        }
        Vec::new()
    }

    pub(super) fn signal_outcome(&mut self, id: TargetId, outcome: SignalOutcome) -> Vec<Effect> {
        let now = (self.latest_table, self.latest_table_ms);
        let place = self.signal_jobs.iter().position(|job| job.has_target(id));
        let Some(job) = place.and_then(|place| self.signal_jobs.get_mut(place)) else {
            return Vec::new();
        };
        let Some(party) = job.target_mut(id) else {
            return Vec::new();
        };
        party.status = match outcome {
            SignalOutcome::Exited { after, .. } => SignalStatus::Exited(after),
            SignalOutcome::Sent { .. } => SignalStatus::Sent,
            SignalOutcome::StillRunning { signal, .. } if !signal.is_terminating() => {
                SignalStatus::KeepsRunning
            }
            SignalOutcome::StillRunning { after, .. } => SignalStatus::StillRunning(after),
            SignalOutcome::Refused(refusal) => SignalStatus::Refused(refusal),
        };
        let ended = matches!(party.status, SignalStatus::Exited(_));
        if ended {
            job.last_exit = Some(now);
        }
        self.notify_job(place.unwrap_or_default(), None);
        // The table shows the fate of its sockets: read it now.
        ended.then_some(Effect::Refresh).into_iter().collect()
    }

    /// Once the processes have ended, a table must confirm the fate of their
    /// sockets and listening ports. The first table after the end may have been
    /// under way before it; the second is reported. Later ones show if a process
    /// takes a port again.
    pub(super) fn update_jobs(&mut self, observation: &Observation) -> Vec<Effect> {
        self.latest_table = observation.table_number;
        self.latest_table_ms = observation.time.monotonic_ms;
        self.signal_jobs.retain(|job| !job.is_over(observation));
        let mut refresh = false;
        for place in 0..self.signal_jobs.len() {
            let Some(job) = self.signal_jobs.get(place) else {
                continue;
            };
            match job.next_step(observation) {
                NextStep::Wait => {}
                NextStep::Refresh => refresh = true,
                NextStep::ReportPorts => {
                    let port_outcome =
                        PortOutcome::from_observation(&job.affected, &job.before, observation);
                    if job
                        .ports_retaken
                        .is_none_or(|taken| port_outcome.retaken_count() > taken)
                    {
                        self.notify_job(place, Some(&port_outcome));
                    }
                }
            }
        }
        refresh.then_some(Effect::Refresh).into_iter().collect()
    }

    /// Shows a notice with the outcome, if that has changed.
    fn notify_job(&mut self, place: usize, port_outcome: Option<&PortOutcome>) {
        let Some(job) = self.signal_jobs.get(place) else {
            return;
        };
        let mut sentences = self.status_messages(job);
        sentences.extend(
            port_outcome
                .into_iter()
                .flat_map(|found| self.port_messages(found)),
        );
        let text = self.messages.join_sentences(&sentences);
        let offers = !job.still_running().is_empty();
        if let Some(job) = self.signal_jobs.get_mut(place) {
            job.ports_retaken = port_outcome
                .map(PortOutcome::retaken_count)
                .or(job.ports_retaken);
            if text.is_empty() || job.last_message == text {
                return;
            }
            job.last_message.clone_from(&text);
        }
        let notice = Notice::new(text, self.observation.time);
        self.notice = Some(if offers {
            notice.with_retry_offer()
        } else {
            notice
        });
    }
}
