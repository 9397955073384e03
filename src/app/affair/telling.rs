//! Messages about the outcome of a signal.

use super::{Affair, Fate, Party};
use crate::app::App;
use crate::app::aftermath::{Aftermath, PortFate};
use crate::explain::sentence::fill;
use crate::model::process::Process;
use crate::model::signal::Signal;
use crate::model::unit::Unit;
use std::time::Duration;

/// Maximum number of processes that are named.
const NAMED: usize = 4;

impl App {
    /// Returns the messages about the processes.
    pub(super) fn fates(&self, affair: &Affair) -> Vec<String> {
        let mut said = match &affair.parties[..] {
            [only] => self.fate(affair, only),
            _ => self.fates_of_several(affair),
        };
        if affair.any(|fate| matches!(fate, Fate::Runs(_))) {
            let more = match affair.signal {
                Signal::Kill => "still_running_kill",
                _ => "still_running_term",
            };
            said.push(self.words.outcome(more).to_owned());
        }
        said
    }

    fn fate(&self, affair: &Affair, party: &Party) -> Vec<String> {
        let say = |name: &str, after: Duration| {
            let who = self.who(party);
            let said = fill(self.words.outcome(name), |place| {
                Some(match place {
                    "who" => who.clone(),
                    "after" => self.words.length(after),
                    _ => affair.signal.word().to_owned(),
                })
            });
            said.into_iter().collect()
        };
        match &party.fate {
            Fate::Asked => Vec::new(),
            Fate::Sent | Fate::GoesOn => {
                let name = match affair.signal {
                    Signal::Stop => "sent_stop",
                    Signal::Cont => "sent_cont",
                    signal if signal.ends() => "sent",
                    _ => "sent_on",
                };
                say(name, Duration::ZERO)
            }
            Fate::Ended(after) => say("ended", *after),
            Fate::Runs(after) => say("still_running", *after),
            Fate::Refused(refusal) => {
                let (name, pid) = (&party.target.name, party.target.pid);
                vec![
                    self.words
                        .labelled(&format!("{name} ({pid})"), &self.reason(refusal)),
                ]
            }
        }
    }

    /// Formats `nginx (pid 811)`, for a tree with the number of further
    /// processes.
    fn who(&self, party: &Party) -> String {
        let name = match party.reached {
            0 | 1 => "who",
            2 => "who_with_one",
            _ => "who_with_tree",
        };
        let who = fill(self.words.outcome(name), |place| {
            Some(match place {
                "process" => party.target.name.to_string(),
                "pid" => party.target.pid.to_string(),
                _ => (party.reached - 1).to_string(),
            })
        });
        who.unwrap_or_default()
    }

    fn fates_of_several(&self, affair: &Affair) -> Vec<String> {
        let total = affair.parties.len();
        let say = |name: &str, which: fn(&Fate) -> bool| {
            let those = affair.parties.iter().filter(|party| which(&party.fate));
            let those: Vec<&Party> = those.collect();
            if those.is_empty() {
                return None;
            }
            let longest = those.iter().filter_map(|party| match party.fate {
                Fate::Ended(after) => Some(after),
                _ => None,
            });
            let after = longest.max().unwrap_or_default();
            fill(self.words.outcome(name), |place| {
                Some(match place {
                    "count" => those.len().to_string(),
                    "total" => total.to_string(),
                    "after" => self.words.length(after),
                    "names" => self.names(&those),
                    _ => affair.signal.word().to_owned(),
                })
            })
        };
        let ended = say("several_ended", |fate| matches!(fate, Fate::Ended(_)));
        let sent = if affair.signal.ends() {
            say("several_sent", |fate| *fate == Fate::Sent)
        } else {
            say("several_on", |fate| {
                matches!(fate, Fate::Sent | Fate::GoesOn)
            })
        };
        let runs = say("several_run", |fate| matches!(fate, Fate::Runs(_)));
        let mut said: Vec<String> = [ended, sent, runs].into_iter().flatten().collect();
        let refused = |party: &&Party| matches!(party.fate, Fate::Refused(_));
        for party in affair.parties.iter().filter(refused).take(2) {
            said.extend(self.fate(affair, party));
        }
        said
    }

    fn names(&self, parties: &[&Party]) -> String {
        let mut names: Vec<String> = parties
            .iter()
            .take(NAMED)
            .map(|party| self.who(party))
            .collect();
        if parties.len() > NAMED {
            names.push("…".to_owned());
        }
        self.words.list(&names)
    }

    /// Returns the messages about sockets and ports.
    pub(super) fn ports(&self, aftermath: &Aftermath) -> Vec<String> {
        let say = |name: &str, count: usize| {
            let sentence = self.words.outcome(name);
            (count > 0).then(|| fill(sentence, |_| Some(count.to_string())))?
        };
        let gone = match aftermath.gone {
            1 => "gone_from_table_one",
            _ => "gone_from_table",
        };
        let mut said: Vec<String> = say(gone, aftermath.gone).into_iter().collect();
        said.extend(say("left_to_kernel", aftermath.in_kernel));
        said.extend(say("left_to_others", aftermath.held));
        for (port, fate) in &aftermath.ports {
            said.extend(self.port(*port, fate));
        }
        if let Some(process) = aftermath.taker() {
            said.extend(self.started_again(process));
        }
        said
    }

    fn port(&self, port: u16, fate: &PortFate) -> Option<String> {
        let name = match fate {
            PortFate::Free => "port_free",
            PortFate::Held(Some((_, 0))) => "port_held",
            PortFate::Held(Some(_)) => "port_held_by_several",
            PortFate::Held(None) => "port_held_unknown",
            PortFate::Taken(_) => "port_taken",
            PortFate::Lingers(_) => "port_lingers",
        };
        let owner = match fate {
            PortFate::Held(owner) => owner.as_ref().map(|(owner, _)| owner),
            PortFate::Taken(owner) => Some(owner),
            _ => None,
        };
        fill(self.words.outcome(name), |place| match (place, fate) {
            ("port", _) => Some(port.to_string()),
            ("count", PortFate::Lingers(count)) => Some(count.to_string()),
            ("count", PortFate::Held(owner)) => Some(owner.as_ref()?.1.to_string()),
            ("process", _) => Some(owner?.name.to_string()),
            ("pid", _) => Some(owner?.pid.to_string()),
            _ => None,
        })
    }

    /// Returns the message about the program that restarts it, if known. The
    /// command is text to read: nothing runs it.
    fn started_again(&self, process: &Process) -> Option<String> {
        let command = process.unit.as_ref().and_then(Unit::stop_command);
        if let Some(command) = command {
            let sentence = self.words.outcome("taken_by_unit");
            return fill(sentence, |_| Some(command.clone()));
        }
        let (pid, name) = process.parents.first()?;
        let sentence = match pid {
            1 => "taken_by_init",
            _ => "taken_by_parent",
        };
        fill(self.words.outcome(sentence), |place| {
            Some(match place {
                "pid" => pid.to_string(),
                _ => name.to_string(),
            })
        })
    }
}
