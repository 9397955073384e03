//! Forwards all actions and logs each of them.

use super::Control;
use super::destroy::Close;
use super::journal::Journal;
use crate::model::action::{ArmId, ArmedFacts, Outcome, Refusal, Target, TreeOutcome};
use crate::model::closing::{Closable, CloseRefusal};
use crate::model::signal::Signal;
use crate::model::text::{Text, is_deceptive};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Logs every signal and every closed connection, with its result, in the
/// system's log.
pub struct Logged<C> {
    inner: C,
    journal: Journal,
    armed: HashMap<ArmId, Whom>,
}

/// Target of a signal as it is logged: first the facts from the kernel, and
/// last, in quotes, those that the process chooses itself, so that no name can
/// imitate the rest of the line.
struct Whom {
    pid: u32,
    described: String,
}

impl Whom {
    fn of(facts: &ArmedFacts) -> Self {
        let ArmedFacts { target, uid, .. } = facts;
        let uid = uid.map_or_else(|| "unknown".to_owned(), |uid| uid.to_string());
        let name = facts.now_called.as_ref().unwrap_or(&target.name);
        let program = facts.now_runs.as_ref().or(target.exe.as_ref());
        let program = program.map_or_else(|| "unknown".to_owned(), quoted);
        Self {
            pid: target.pid,
            described: format!("uid {uid}, name {}, program {program}", quoted(name)),
        }
    }
}

/// Quotes a text. Quotes, backslashes, bytes that are not UTF-8, and invisible or
/// deceptive characters are escaped.
fn quoted(text: &Text) -> String {
    let mut quoted = String::from('"');
    for chunk in text.raw().utf8_chunks() {
        for character in chunk.valid().chars() {
            let blank = character.is_whitespace() && character != ' ';
            if blank || is_deceptive(character) {
                quoted.extend(character.escape_unicode());
            } else {
                if matches!(character, '"' | '\\') {
                    quoted.push('\\');
                }
                quoted.push(character);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(quoted, "\\x{byte:02x}");
        }
    }
    quoted.push('"');
    quoted
}

impl<C> Logged<C> {
    /// Wraps a control or a closer.
    #[must_use]
    pub fn around(inner: C) -> Self {
        Self {
            inner,
            journal: Journal::of_the_system(),
            armed: HashMap::new(),
        }
    }

    /// A missing log must not prevent the action.
    fn log(&self, deed: &str) {
        let _ = self.journal.write(deed);
    }
}

impl<C: Control> Control for Logged<C> {
    fn arm(&mut self, id: ArmId, target: &Target) -> Result<ArmedFacts, Refusal> {
        let facts = self.inner.arm(id, target)?;
        self.armed.insert(id, Whom::of(&facts));
        Ok(facts)
    }

    fn signal(&mut self, id: ArmId, signal: Signal) -> Outcome {
        let outcome = self.inner.signal(id, signal);
        if let Some(Whom { pid, described }) = self.armed.get(&id) {
            let result = result(&outcome);
            self.log(&format!("{signal} to pid {pid}: {result}; {described}"));
        }
        outcome
    }

    fn signal_tree(&mut self, id: ArmId, signal: Signal) -> TreeOutcome {
        let tree = self.inner.signal_tree(id, signal);
        if let Some(Whom { pid, described }) = self.armed.get(&id) {
            let (reached, result) = (tree.reached, result(&tree.outcome));
            self.log(&format!(
                "{signal} to pid {pid} and all below it, {reached} in all: {result}; {described}"
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

/// Returns a short, constant text: logs are searched.
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
    use proptest::prelude::*;
    use std::os::unix::net::UnixDatagram;

    /// Refuses to signal, but arms.
    struct Arming;

    impl Control for Arming {
        fn arm(&mut self, _: ArmId, target: &Target) -> Result<ArmedFacts, Refusal> {
            Ok(ArmedFacts {
                target: target.clone(),
                uid: Some(33),
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
        // Never armed, or released: no action, no line.
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
                r#"TERM to pid 812: sent; uid 33, name "nginx", program unknown"#,
                r#"KILL to pid 812: not sent, not holder; uid 33, name "a\u{a}root: b", program unknown"#,
                r#"STOP to pid 812 and all below it, 3 in all: sent; uid 33, name "nginx", program unknown"#,
            ]
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn no_name_looks_like_the_rest_of_the_line() {
        let facts = ArmedFacts {
            target: Target {
                exe: Some(Text::from("/usr/sbin/nginx")),
                ..target(br#"a", uid 0, name "sshd"#)
            },
            uid: Some(2001),
            now_called: Some(Text::from(r#"b (pid 1): sent""#)),
            now_runs: Some(Text::from(r#"/tmp/x", y\"#)),
            ..ArmedFacts::default()
        };
        let described = Whom::of(&facts).described;
        let expected = r#"uid 2001, name "b (pid 1): sent\"", program "/tmp/x\", y\\""#;
        assert_eq!(described, expected);
        // Distinguished although they look alike.
        let alike: [&[u8]; 5] = [
            b"a\x1bb",
            br"a\x1bb",
            "a\u{a0}b".as_bytes(),
            b"a b",
            b"a\xffb",
        ];
        let quoted: std::collections::BTreeSet<String> =
            alike.iter().map(|name| quoted(&Text::new(name))).collect();
        assert_eq!(quoted.len(), alike.len(), "{quoted:?}");
    }

    /// Reads one quoted text from the front; the rest comes after it.
    fn unquoted(line: &str) -> Option<&str> {
        let mut rest = line.strip_prefix('"')?.chars();
        loop {
            match rest.next()? {
                '"' => return Some(rest.as_str()),
                '\\' => drop(rest.next()?),
                _ => {}
            }
        }
    }

    proptest! {
        #[test]
        fn any_name_and_path_end_where_their_quotes_do(name: Vec<u8>, path: Vec<u8>) {
            let facts = ArmedFacts {
                target: Target { exe: Some(Text::new(&path)), ..target(&name) },
                ..ArmedFacts::default()
            };
            let described = Whom::of(&facts).described;
            prop_assert!(!described.chars().any(is_deceptive));
            let rest = described.strip_prefix("uid unknown, name ").and_then(unquoted);
            let rest = rest.and_then(|rest| unquoted(rest.strip_prefix(", program ")?));
            prop_assert_eq!(rest, Some(""));
        }
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
