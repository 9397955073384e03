//! Messages about the outcome of a signal.

use super::{JobTarget, SignalJob, SignalStatus};
use crate::app::App;
use crate::app::port_outcome::{PortOutcome, PortState};
use crate::explain::template::render;
use crate::model::process::Process;
use crate::model::signal::Signal;
use crate::model::unit::Unit;
use std::time::Duration;

/// Maximum number of processes that are named.
const MAX_NAMED: usize = 4;

impl App {
    /// Returns the messages about the processes.
    pub(super) fn status_messages(&self, job: &SignalJob) -> Vec<String> {
        let mut said = match &job.targets[..] {
            [only] => self.status_message(job, only),
            _ => self.status_messages_of_several(job),
        };
        if job.any_status(|fate| matches!(fate, SignalStatus::StillRunning(_))) {
            let more = match job.signal {
                Signal::Kill => "still_running_kill",
                _ => "still_running_term",
            };
            said.push(self.messages.outcome(more).to_owned());
        }
        said
    }

    fn status_message(&self, job: &SignalJob, party: &JobTarget) -> Vec<String> {
        let say = |name: &str, after: Duration| {
            let who = self.target_text(party);
            let said = render(self.messages.outcome(name), |place| {
                Some(match place {
                    "who" => who.clone(),
                    "after" => self.messages.duration_text(after),
                    _ => job.signal.word().to_owned(),
                })
            });
            said.into_iter().collect()
        };
        match &party.status {
            SignalStatus::Requested => Vec::new(),
            SignalStatus::Sent | SignalStatus::KeepsRunning => {
                let name = match job.signal {
                    Signal::Stop => "sent_stop",
                    Signal::Cont => "sent_cont",
                    signal if signal.is_terminating() => "sent",
                    _ => "sent_on",
                };
                say(name, Duration::ZERO)
            }
            SignalStatus::Exited(after) => say("ended", *after),
            SignalStatus::StillRunning(after) => say("still_running", *after),
            SignalStatus::Refused(refusal) => {
                let (name, pid) = (&party.target.name, party.target.pid);
                vec![
                    self.messages
                        .labelled(&format!("{name} ({pid})"), &self.refusal_text(refusal)),
                ]
            }
        }
    }

    /// Formats `nginx (pid 811)`, for a tree with the number of further
    /// processes.
    fn target_text(&self, party: &JobTarget) -> String {
        let name = match party.signalled {
            0 | 1 => "who",
            2 => "who_with_one",
            _ => "who_with_tree",
        };
        let who = render(self.messages.outcome(name), |place| {
            Some(match place {
                "process" => party.target.name.to_string(),
                "pid" => party.target.pid.to_string(),
                _ => (party.signalled - 1).to_string(),
            })
        });
        who.unwrap_or_default()
    }

    fn status_messages_of_several(&self, job: &SignalJob) -> Vec<String> {
        let total = job.targets.len();
        let say = |name: &str, which: fn(&SignalStatus) -> bool| {
            let those = job.targets.iter().filter(|party| which(&party.status));
            let those: Vec<&JobTarget> = those.collect();
            if those.is_empty() {
                return None;
            }
            let longest = those.iter().filter_map(|party| match party.status {
                SignalStatus::Exited(after) => Some(after),
                _ => None,
            });
            let after = longest.max().unwrap_or_default();
            render(self.messages.outcome(name), |place| {
                Some(match place {
                    "count" => those.len().to_string(),
                    "total" => total.to_string(),
                    "after" => self.messages.duration_text(after),
                    "names" => self.target_names(&those),
                    _ => job.signal.word().to_owned(),
                })
            })
        };
        let ended = say("several_ended", |fate| {
            matches!(fate, SignalStatus::Exited(_))
        });
        let sent = if job.signal.is_terminating() {
            say("several_sent", |fate| *fate == SignalStatus::Sent)
        } else {
            say("several_on", |fate| {
                matches!(fate, SignalStatus::Sent | SignalStatus::KeepsRunning)
            })
        };
        let runs = say("several_run", |fate| {
            matches!(fate, SignalStatus::StillRunning(_))
        });
        let mut said: Vec<String> = [ended, sent, runs].into_iter().flatten().collect();
        let refused = |party: &&JobTarget| matches!(party.status, SignalStatus::Refused(_));
        for party in job.targets.iter().filter(refused).take(2) {
            said.extend(self.status_message(job, party));
        }
        said
    }

    fn target_names(&self, parties: &[&JobTarget]) -> String {
        let mut names: Vec<String> = parties
            .iter()
            .take(MAX_NAMED)
            .map(|party| self.target_text(party))
            .collect();
        if parties.len() > MAX_NAMED {
            names.push("…".to_owned());
        }
        self.messages.join_list(&names)
    }

    /// Returns the messages about sockets and ports.
    pub(super) fn port_messages(&self, port_outcome: &PortOutcome) -> Vec<String> {
        let say = |name: &str, count: usize| {
            let sentence = self.messages.outcome(name);
            (count > 0).then(|| render(sentence, |_| Some(count.to_string())))?
        };
        let gone = match port_outcome.gone_sockets {
            1 => "gone_from_table_one",
            _ => "gone_from_table",
        };
        let mut said: Vec<String> = say(gone, port_outcome.gone_sockets).into_iter().collect();
        said.extend(say("left_to_kernel", port_outcome.kernel_sockets));
        said.extend(say("left_to_others", port_outcome.held_sockets));
        for (port, fate) in &port_outcome.ports {
            said.extend(self.port_message(*port, fate));
        }
        if let Some(process) = port_outcome.retaking_process() {
            said.extend(self.restart_message(process));
        }
        said
    }

    fn port_message(&self, port: u16, fate: &PortState) -> Option<String> {
        let name = match fate {
            PortState::Free => "port_free",
            PortState::Held(Some((_, 0))) => "port_held",
            PortState::Held(Some(_)) => "port_held_by_several",
            PortState::Held(None) => "port_held_unknown",
            PortState::Retaken(_) => "port_taken",
            PortState::ConnectionsRemain(_) => "port_lingers",
        };
        let owner = match fate {
            PortState::Held(owner) => owner.as_ref().map(|(owner, _)| owner),
            PortState::Retaken(owner) => Some(owner),
            _ => None,
        };
        render(self.messages.outcome(name), |place| match (place, fate) {
            ("port", _) => Some(port.to_string()),
            ("count", PortState::ConnectionsRemain(count)) => Some(count.to_string()),
            ("count", PortState::Held(owner)) => Some(owner.as_ref()?.1.to_string()),
            ("process", _) => Some(owner?.name.to_string()),
            ("pid", _) => Some(owner?.pid.to_string()),
            _ => None,
        })
    }

    /// Returns the message about the program that restarts it, if known. The
    /// command is text to read: nothing runs it.
    fn restart_message(&self, process: &Process) -> Option<String> {
        let command = process.unit.as_ref().and_then(Unit::stop_command);
        if let Some(command) = command {
            let sentence = self.messages.outcome("taken_by_unit");
            return render(sentence, |_| Some(command.clone()));
        }
        let (pid, name) = process.ancestors.first()?;
        let sentence = match pid {
            1 => "taken_by_init",
            _ => "taken_by_parent",
        };
        render(self.messages.outcome(sentence), |place| {
            Some(match place {
                "pid" => pid.to_string(),
                _ => name.to_string(),
            })
        })
    }
}
