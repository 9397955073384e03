//! What a rule that a person wrote saw.

use super::facts::{Fact, Facts};
use crate::model::text::Text;
use std::net::IpAddr;
use std::time::Duration;

/// The evidence of a rule that a person wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Tripped {
    /// The rule's name.
    pub name: Text,
    /// The person's own sentence for it, with `{places}`.
    pub words: Option<Text>,
    /// The canonical text of the rule's filter; empty for every socket.
    pub filter: Text,
    /// Which of the sockets that match were counted together.
    pub group: Group,
    /// How many match now.
    pub now: u32,
    /// How many match; for a rule of growth, how many more.
    pub count: u32,
    /// More than this is a finding.
    pub limit: u32,
    /// For a rule of growth, within what time.
    pub within: Option<Duration>,
}

/// Sockets that a rule counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// All of them.
    All,
    /// Those of the finding's process.
    Process,
    /// Those to this address.
    Remote(IpAddr),
    /// Those on this port of ours.
    LocalPort(u16),
}

impl Tripped {
    pub(super) fn facts(&self) -> Facts {
        let mut facts = vec![
            ("name", Fact::Text(self.name.clone())),
            ("filter", Fact::Text(self.filter.clone())),
            ("count", Fact::Count(self.count.into())),
            ("limit", Fact::Count(self.limit.into())),
            ("now", Fact::Count(self.now.into())),
        ];
        facts.extend(self.within.map(|time| ("within", Fact::Length(time))));
        match self.group {
            Group::All | Group::Process => {}
            Group::Remote(address) => facts.push(("remote", Fact::Host(address))),
            Group::LocalPort(port) => facts.push(("port", Fact::Port(port))),
        }
        facts
    }
}
