//! Forwards all actions and logs each of them.

use super::ProcessControl;
use super::sock_destroy::ConnectionCloser;
use super::syslog::Syslog;
use crate::model::action::{
    ProcessTarget, SignalOutcome, SignalRefusal, TargetFacts, TargetId, TreeOutcome,
};
use crate::model::close::{CloseRefusal, CloseTarget};
use crate::model::signal::Signal;
use crate::model::text::{Text, is_deceptive};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

/// Logs every signal and every closed connection, with its result, in the
/// system's log.
pub struct Audited<C> {
    inner: C,
    syslog: Syslog,
    targets: HashMap<TargetId, AuditTarget>,
}

/// Target of a signal as it is logged: first the facts from the kernel, and
/// last, in quotes, those that the process chooses itself, so that no name can
/// imitate the rest of the line.
struct AuditTarget {
    pid: u32,
    described: String,
}

impl AuditTarget {
    fn from_facts(facts: &TargetFacts) -> Self {
        let TargetFacts { target, uid, .. } = facts;
        let uid = uid.map_or_else(|| "unknown".to_owned(), |uid| uid.to_string());
        let name = facts.current_name.as_ref().unwrap_or(&target.name);
        let program = facts.current_program.as_ref().or(target.exe.as_ref());
        let program = program.map_or_else(|| "unknown".to_owned(), quote);
        Self {
            pid: target.pid,
            described: format!("uid {uid}, name {}, program {program}", quote(name)),
        }
    }
}

/// Quotes a text. Quotes, backslashes, bytes that are not UTF-8, and invisible or
/// deceptive characters are escaped.
fn quote(text: &Text) -> String {
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

impl<C> Audited<C> {
    /// Wraps a control or a closer.
    #[must_use]
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            syslog: Syslog::system(),
            targets: HashMap::new(),
        }
    }

    /// A missing log must not prevent the action.
    fn write(&self, deed: &str) {
        let _ = self.syslog.write(deed);
    }
}

impl<C: ProcessControl> ProcessControl for Audited<C> {
    fn acquire(
        &mut self,
        id: TargetId,
        target: &ProcessTarget,
    ) -> Result<TargetFacts, SignalRefusal> {
        let facts = self.inner.acquire(id, target)?;
        self.targets.insert(id, AuditTarget::from_facts(&facts));
        Ok(facts)
    }

    fn signal(&mut self, id: TargetId, signal: Signal) -> SignalOutcome {
        let outcome = self.inner.signal(id, signal);
        if let Some(AuditTarget { pid, described }) = self.targets.get(&id) {
            let result = outcome_text(&outcome);
            self.write(&format!("{signal} to pid {pid}: {result}; {described}"));
        }
        outcome
    }

    fn signal_tree(&mut self, id: TargetId, signal: Signal) -> TreeOutcome {
        let tree = self.inner.signal_tree(id, signal);
        if let Some(AuditTarget { pid, described }) = self.targets.get(&id) {
            let (reached, result) = (tree.signalled, outcome_text(&tree.outcome));
            self.write(&format!(
                "{signal} to pid {pid} and all below it, {reached} in all: {result}; {described}"
            ));
        }
        tree
    }

    fn wait_for_exit(&mut self, id: TargetId, timeout: Duration) -> bool {
        self.inner.wait_for_exit(id, timeout)
    }

    fn release(&mut self, id: TargetId) {
        self.targets.remove(&id);
        self.inner.release(id);
    }
}

impl<C: ConnectionCloser> ConnectionCloser for Audited<C> {
    fn is_mptcp(&mut self, target: &CloseTarget) -> bool {
        self.inner.is_mptcp(target)
    }

    fn check_available(&mut self) -> Result<(), CloseRefusal> {
        self.inner.check_available()
    }

    fn close(&mut self, target: &CloseTarget) -> Result<(), CloseRefusal> {
        let result = self.inner.close(target);
        let socket = target.socket();
        let what = match &result {
            Ok(()) => "closed".to_owned(),
            Err(refusal) => format!("not closed, {}", refusal.key().replace('_', " ")),
        };
        self.write(&format!(
            "close {} {} {} {}: {what}",
            socket.protocol, socket.state, socket.local, socket.remote
        ));
        result
    }
}

/// Returns a short, constant text: logs are searched.
fn outcome_text(outcome: &SignalOutcome) -> String {
    match outcome {
        SignalOutcome::Sent { .. } => "sent".to_owned(),
        SignalOutcome::Exited { .. } => "sent, ended".to_owned(),
        SignalOutcome::StillRunning { .. } => "sent, still running".to_owned(),
        SignalOutcome::Refused(refusal) => format!("not sent, {}", refusal.key().replace('_', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ReadOnlyControl;
    use proptest::prelude::*;
    use std::os::unix::net::UnixDatagram;

    /// Refuses to signal, but arms.
    struct AcquiringControl;

    impl ProcessControl for AcquiringControl {
        fn acquire(
            &mut self,
            _: TargetId,
            target: &ProcessTarget,
        ) -> Result<TargetFacts, SignalRefusal> {
            Ok(TargetFacts {
                target: target.clone(),
                uid: Some(33),
                ..TargetFacts::default()
            })
        }

        fn signal(&mut self, id: TargetId, signal: Signal) -> SignalOutcome {
            match id {
                TargetId(1) => SignalOutcome::Sent { signal },
                _ => SignalOutcome::Refused(SignalRefusal::NotHolder),
            }
        }

        fn signal_tree(&mut self, _: TargetId, signal: Signal) -> TreeOutcome {
            TreeOutcome {
                signalled: 3,
                outcome: SignalOutcome::Sent { signal },
            }
        }

        fn wait_for_exit(&mut self, _: TargetId, _: Duration) -> bool {
            false
        }

        fn release(&mut self, _: TargetId) {}
    }

    fn target(name: &[u8]) -> ProcessTarget {
        ProcessTarget {
            pid: 812,
            start_ticks: 5,
            name: Text::new(name),
            ..ProcessTarget::default()
        }
    }

    #[test]
    fn every_signal_leaves_one_line_whatever_the_name() {
        let folder = std::env::temp_dir().join(format!("tcplens-logged-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let daemon = UnixDatagram::bind(folder.join("log")).unwrap();
        daemon.set_nonblocking(true).unwrap();
        let mut logged = Audited {
            inner: AcquiringControl,
            syslog: Syslog::at_path(folder.join("log")),
            targets: HashMap::new(),
        };
        logged.acquire(TargetId(1), &target(b"nginx")).unwrap();
        logged.acquire(TargetId(2), &target(b"a\nroot: b")).unwrap();
        logged.signal(TargetId(1), Signal::Term);
        logged.signal(TargetId(2), Signal::Kill);
        logged.signal_tree(TargetId(1), Signal::Stop);
        logged.release(TargetId(2));
        // Never armed, or released: no action, no line.
        logged.signal(TargetId(2), Signal::Kill);
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
        let facts = TargetFacts {
            target: ProcessTarget {
                exe: Some(Text::from("/usr/sbin/nginx")),
                ..target(br#"a", uid 0, name "sshd"#)
            },
            uid: Some(2001),
            current_name: Some(Text::from(r#"b (pid 1): sent""#)),
            current_program: Some(Text::from(r#"/tmp/x", y\"#)),
            ..TargetFacts::default()
        };
        let described = AuditTarget::from_facts(&facts).described;
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
            alike.iter().map(|name| quote(&Text::new(name))).collect();
        assert_eq!(quoted.len(), alike.len(), "{quoted:?}");
    }

    /// Reads one quoted text from the front; the rest comes after it.
    fn skip_quoted(line: &str) -> Option<&str> {
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
            let facts = TargetFacts {
                target: ProcessTarget { exe: Some(Text::new(&path)), ..target(&name) },
                ..TargetFacts::default()
            };
            let described = AuditTarget::from_facts(&facts).described;
            prop_assert!(!described.chars().any(is_deceptive));
            let rest = described.strip_prefix("uid unknown, name ").and_then(skip_quoted);
            let rest = rest.and_then(|rest| skip_quoted(rest.strip_prefix(", program ")?));
            prop_assert_eq!(rest, Some(""));
        }
    }

    #[test]
    fn a_missing_syslog_does_not_block_actions() {
        let mut logged = Audited {
            inner: ReadOnlyControl,
            syslog: Syslog::at_path("/nonexistent/log".into()),
            targets: HashMap::new(),
        };
        assert!(logged.acquire(TargetId(1), &target(b"x")).is_err());
        assert_eq!(logged.check_available(), Err(CloseRefusal::Disabled));
    }
}
