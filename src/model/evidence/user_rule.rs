//! Evidence of user rules.

use super::facts::{EvidenceFacts, Fact};
use crate::model::text::Text;
use std::net::IpAddr;
use std::time::Duration;

/// Evidence of a user rule.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRuleEvidence {
    /// The rule's name.
    pub name: Text,
    /// The rule's own message, with `{places}`.
    pub message: Option<Text>,
    /// The canonical text of the rule's filter; empty for every socket.
    pub filter: Text,
    /// Group of the matching sockets that were counted together.
    pub group: UserRuleGroup,
    /// Number of sockets that match now.
    pub current: u32,
    /// Number of sockets that match; for a rule of growth, the increase.
    pub count: u32,
    /// Limit above which there is a finding.
    pub limit: u32,
    /// For a rule of growth, the time over which it is measured.
    pub window: Option<Duration>,
}

/// Group of sockets that a rule counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserRuleGroup {
    /// All sockets.
    All,
    /// Sockets of the finding's process.
    Process,
    /// Sockets connected to this address.
    Remote(IpAddr),
    /// Sockets on this local port.
    LocalPort(u16),
}

impl UserRuleEvidence {
    pub(super) fn facts(&self) -> EvidenceFacts {
        let mut facts = vec![
            ("name", Fact::Text(self.name.clone())),
            ("filter", Fact::Text(self.filter.clone())),
            ("count", Fact::Count(self.count.into())),
            ("limit", Fact::Count(self.limit.into())),
            ("now", Fact::Count(self.current.into())),
        ];
        facts.extend(self.window.map(|time| ("within", Fact::Duration(time))));
        match self.group {
            UserRuleGroup::All | UserRuleGroup::Process => {}
            UserRuleGroup::Remote(address) => facts.push(("remote", Fact::Host(address))),
            UserRuleGroup::LocalPort(port) => facts.push(("port", Fact::Port(port))),
        }
        facts
    }
}
