//! Acts as another does, and leaves a trace of everything it does.

use super::Control;
use super::destroy::Close;
use super::journal::Journal;
use crate::model::action::{ArmId, ArmedFacts, Outcome, Refusal, Target, TreeOutcome};
use crate::model::closing::{Closable, CloseRefusal};
use crate::model::signal::Signal;
use std::collections::HashMap;
use std::time::Duration;

/// Writes every signal and every closed connection, and what came of it, to the
/// system's log.
pub struct Logged<C> {
    inner: C,
    journal: Journal,
    armed: HashMap<ArmId, Target>,
}

impl<C> Logged<C> {
    /// Around what acts.
    #[must_use]
    pub fn around(inner: C) -> Self {
        Self {
            inner,
            journal: Journal::of_the_system(),
            armed: HashMap::new(),
        }
    }

    /// A missing log must not keep anybody from acting.
    fn log(&self, deed: &str) {
        let _ = self.journal.write(deed);
    }
}

impl<C: Control> Control for Logged<C> {
    fn arm(&mut self, id: ArmId, target: &Target) -> Result<ArmedFacts, Refusal> {
        let facts = self.inner.arm(id, target)?;
        self.armed.insert(id, target.clone());
        Ok(facts)
    }

    fn signal(&mut self, id: ArmId, signal: Signal) -> Outcome {
        let outcome = self.inner.signal(id, signal);
        if let Some(target) = self.armed.get(&id) {
            self.log(&format!(
                "{signal} to {} (pid {}): {}",
                target.name,
                target.pid,
                result(&outcome)
            ));
        }
        outcome
    }

    fn signal_tree(&mut self, id: ArmId, signal: Signal) -> TreeOutcome {
        let tree = self.inner.signal_tree(id, signal);
        if let Some(target) = self.armed.get(&id) {
            self.log(&format!(
                "{signal} to {} (pid {}) and all below it, {} in all: {}",
                target.name,
                target.pid,
                tree.reached,
                result(&tree.outcome)
            ));
        }
        tree
    }

    fn wait(&mut self, id: ArmId, patience: Duration) -> bool {
        self.inner.wait(id, patience)
    }

    fn disarm(&mut self, id: ArmId) {
        self.armed.remove(&id);
        self.inner.disarm(id);
    }
}

impl<C: Close> Close for Logged<C> {
    fn is_mptcp(&mut self, target: &Closable) -> bool {
        self.inner.is_mptcp(target)
    }

    fn ready(&mut self) -> Result<(), CloseRefusal> {
        self.inner.ready()
    }

    fn close(&mut self, target: &Closable) -> Result<(), CloseRefusal> {
        let result = self.inner.close(target);
        let socket = target.socket();
        let what = match &result {
            Ok(()) => "closed".to_owned(),
            Err(refusal) => format!("not closed, {}", refusal.key().replace('_', " ")),
        };
        self.log(&format!(
            "close {} {} {} {}: {what}",
            socket.protocol, socket.state, socket.local, socket.remote
        ));
        result
    }
}

/// In a few words, always the same: a log is searched.
fn result(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Sent { .. } => "sent".to_owned(),
        Outcome::Ended { .. } => "sent, ended".to_owned(),
        Outcome::StillRunning { .. } => "sent, still running".to_owned(),
        Outcome::Refused(refusal) => format!("not sent, {}", refusal.key().replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Refusing;
    use crate::model::text::Text;
    use std::os::unix::net::UnixDatagram;

    /// Refuses to signal, but arms.
    struct Arming;

    impl Control for Arming {
        fn arm(&mut self, _: ArmId, target: &Target) -> Result<ArmedFacts, Refusal> {
            Ok(ArmedFacts {
                target: target.clone(),
                ..ArmedFacts::default()
            })
        }

        fn signal(&mut self, id: ArmId, signal: Signal) -> Outcome {
            match id {
                ArmId(1) => Outcome::Sent { signal },
                _ => Outcome::Refused(Refusal::NotHolder),
            }
        }

        fn signal_tree(&mut self, _: ArmId, signal: Signal) -> TreeOutcome {
            TreeOutcome {
                reached: 3,
                outcome: Outcome::Sent { signal },
            }
        }

        fn wait(&mut self, _: ArmId, _: Duration) -> bool {
            false
        }

        fn disarm(&mut self, _: ArmId) {}
    }

    fn target(name: &[u8]) -> Target {
        Target {
            pid: 812,
            start_ticks: 5,
            name: Text::new(name),
            ..Target::default()
        }
    }

    #[test]
    fn every_signal_leaves_one_line_whatever_the_name() {
        let folder = std::env::temp_dir().join(format!("tcplens-logged-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let daemon = UnixDatagram::bind(folder.join("log")).unwrap();
        daemon.set_nonblocking(true).unwrap();
        let mut logged = Logged {
            inner: Arming,
            journal: Journal::at(folder.join("log")),
            armed: HashMap::new(),
        };
        logged.arm(ArmId(1), &target(b"nginx")).unwrap();
        logged.arm(ArmId(2), &target(b"a\nroot: b")).unwrap();
        logged.signal(ArmId(1), Signal::Term);
        logged.signal(ArmId(2), Signal::Kill);
        logged.signal_tree(ArmId(1), Signal::Stop);
        logged.disarm(ArmId(2));
        // Never armed, or let go of: nothing was done, nothing is said.
        logged.signal(ArmId(2), Signal::Kill);
        let lines: Vec<String> = std::iter::from_fn(|| {
            let mut buffer = [0; 512];
            let length = daemon.recv(&mut buffer).ok()?;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            Some(text.split_once("): ")?.1.to_owned())
        })
        .collect();
        assert_eq!(
            lines,
            [
                "TERM to nginx (pid 812): sent",
                r"KILL to a\nroot: b (pid 812): not sent, not holder",
                "STOP to nginx (pid 812) and all below it, 3 in all: sent",
            ]
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_missing_log_keeps_nobody_from_acting() {
        let mut logged = Logged {
            inner: Refusing,
            journal: Journal::at("/nonexistent/log".into()),
            armed: HashMap::new(),
        };
        assert!(logged.arm(ArmId(1), &target(b"x")).is_err());
        assert_eq!(logged.ready(), Err(CloseRefusal::Disabled));
    }
}
