//! Use of a port as text: one sentence, and advice.

use super::super::catalogue::Catalogue;
use super::super::socket_proxy::SocketProxy;
use super::super::template::{format_thousands, render};
use super::{PortHolder, PortRole, PortStatus, PortVerdict};
use crate::model::namespace_addresses::MissingBindTarget;
use crate::model::observation::Observation;
use crate::model::owner::NoOwnerReason;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Maximum number of holders named; the others are counted.
const MAX_HOLDERS: usize = 3;

/// The verdict in one sentence.
pub(super) fn verdict(port: &PortStatus<'_>, seen: &Observation, words: &Catalogue) -> String {
    PortWriter { port, seen, words }.verdict()
}

/// Advice, the most useful first.
pub(super) fn advice(port: &PortStatus<'_>, seen: &Observation, words: &Catalogue) -> Vec<String> {
    let writer = PortWriter { port, seen, words };
    // Ending the proxy of a container does not help.
    let process = writer.first_holder().and_then(|holder| holder.process);
    if let Some((process, other)) =
        process.and_then(|one| Some((one, SocketProxy::on_port(one, port.port, seen)?)))
    {
        return vec![other.describe(process, port.port, words)];
    }
    let names = writer.advice().into_iter();
    names
        .filter_map(|name| writer.sentence("next", name))
        .collect()
}

struct PortWriter<'a, 'o> {
    port: &'a PortStatus<'o>,
    seen: &'a Observation,
    words: &'a Catalogue,
}

impl PortWriter<'_, '_> {
    fn verdict(&self) -> String {
        let here = &self.port.here;
        let times_known = || self.remaining().is_some();
        let name = match self.port.verdict() {
            PortVerdict::Listened if self.port.accepted > 0 => "listened_busy",
            PortVerdict::Listened => "listened",
            PortVerdict::Taken => "taken",
            PortVerdict::KernelOnly if times_known() => "remnants",
            PortVerdict::KernelOnly => "remnants_untimed",
            PortVerdict::UdpOnly => "datagrams",
            PortVerdict::OtherNamespace => "elsewhere",
            PortVerdict::Forwarded => "forwarded",
            PortVerdict::Free => "free",
            PortVerdict::Unknown => "unknown",
        };
        let mut verdict = self.sentence("verdict", name).unwrap_or_default();
        if let Some(lost) = self.lost_by_listeners() {
            verdict = self.append_sentence(verdict, lost);
        }
        let udp = here.iter().any(|holder| holder.role == PortRole::Udp);
        if udp && self.port.verdict() != PortVerdict::UdpOnly {
            verdict = self.append_sentence(verdict, "udp_too");
        }
        let is_told = self.port.verdict() == PortVerdict::OtherNamespace;
        if !is_told && !self.port.other_namespaces.is_empty() {
            verdict = self.append_sentence(verdict, "elsewhere_too");
        }
        verdict
    }

    fn append_sentence(&self, verdict: String, name: &str) -> String {
        match self.sentence("verdict", name) {
            Some(more) => self.words.join_sentences(&[verdict, more]),
            None => verdict,
        }
    }

    /// Name of the sentence about what every listener is bound to and this machine does not
    /// have any more, if that is so.
    fn lost_by_listeners(&self) -> Option<&'static str> {
        let holders = self.port.here.iter();
        let listeners = holders.filter(|holder| holder.role == PortRole::Listener);
        let mut lost = listeners
            .flat_map(|holder| &holder.rows)
            .map(|row| self.seen.missing_bind_target(&row.socket));
        let first = lost.next()??;
        lost.all(|lost| lost.is_some()).then_some(match first {
            MissingBindTarget::Interface => "lost_interface",
            MissingBindTarget::Address => "lost_address",
        })
    }

    /// Names of the advice, the most useful first.
    fn advice(&self) -> Vec<&'static str> {
        let first = self.first_holder();
        let role = first.map(|holder| holder.role);
        let known = first.is_some_and(|holder| holder.process.is_some());
        match self.port.verdict() {
            PortVerdict::Listened if known => vec!["kill"],
            PortVerdict::Taken if role == Some(PortRole::Outgoing) => {
                let reserve = match self.port.is_ephemeral {
                    Some(true) => "reserve",
                    _ => "outgoing",
                };
                vec![reserve, "kill_holder"]
            }
            PortVerdict::Taken if role == Some(PortRole::Bound) => vec!["bound", "kill_holder"],
            PortVerdict::Taken if known => vec!["connection", "kill_holder"],
            PortVerdict::Listened | PortVerdict::Taken | PortVerdict::UdpOnly if !known => {
                vec![if first.is_some_and(is_unowned) {
                    "unheld"
                } else if self.seen.owner_search.may_gain_from_root() {
                    "hidden"
                } else {
                    "hidden_as_root"
                }]
            }
            PortVerdict::KernelOnly if self.remaining().is_some() => vec!["wait", "reuse"],
            PortVerdict::KernelOnly => vec!["reuse"],
            PortVerdict::UdpOnly => vec!["kill_holder"],
            PortVerdict::Forwarded => vec!["container"],
            PortVerdict::OtherNamespace => vec!["other_namespace"],
            PortVerdict::Free if self.port.shows_bound => vec!["nat", "bound_hidden"],
            PortVerdict::Free => vec!["nat", "bound_not_in_proc"],
            PortVerdict::Unknown => vec!["doctor"],
            PortVerdict::Listened | PortVerdict::Taken => Vec::new(),
        }
    }

    /// The most important holder.
    fn first_holder(&self) -> Option<&PortHolder<'_>> {
        self.port.here.first()
    }

    fn sentence(&self, group: &str, name: &str) -> Option<String> {
        let text = render(self.words.port(group, name), |place| self.value(place))?;
        let text = match self.seen.entered() {
            Some(entrance) if group == "next" => with_flag(&text, &entrance.flag()),
            _ => text,
        };
        (!text.is_empty()).then_some(text)
    }

    fn value(&self, place: &str) -> Option<String> {
        let here = |such: fn(&PortRole) -> bool| {
            let holders = self.port.here.iter();
            holders.filter(move |holder| such(&holder.role))
        };
        Some(match place {
            "port" => self.port.port.to_string(),
            "connections" => count(self.port.accepted),
            "listeners" => self.holder_list(here(|role| *role == PortRole::Listener)),
            "holders" => self.holder_list(here(|role| *role != PortRole::Udp)),
            "udp" => self.holder_list(here(|role| *role == PortRole::Udp)),
            "others" => self.holder_list(self.port.other_namespaces.iter()),
            "targets" => self.targets(),
            "left" => self.words.duration_text(self.remaining()?),
            "pid" => self.first_holder()?.process?.pid.to_string(),
            "who" => self.owner_text(self.first_holder()?),
            _ => return None,
        })
    }

    fn targets(&self) -> String {
        let forwardings = self.port.forwardings.iter();
        let named: Vec<String> = forwardings
            .map(|one| {
                let text = render(self.words.port("holder", "target"), |place| match place {
                    "remote" => Some(one.target.to_string()),
                    _ => Some(format_thousands(one.connections.into())),
                });
                text.unwrap_or_default()
            })
            .take(MAX_HOLDERS)
            .collect();
        self.words.join_list(&named)
    }

    /// The time until all remnants are gone, rounded up to whole seconds.
    fn remaining(&self) -> Option<std::time::Duration> {
        let longest = self.port.longest_remaining();
        let milliseconds = u64::try_from(longest?.as_millis()).ok()?;
        Some(std::time::Duration::from_secs(milliseconds.div_ceil(1000)))
    }

    fn holder_list<'h>(&self, holders: impl Iterator<Item = &'h PortHolder<'h>>) -> String {
        let mut named: Vec<String> = holders.map(|holder| self.holder(holder)).collect();
        let more = named.len().saturating_sub(MAX_HOLDERS);
        if more > 0 {
            named.truncate(MAX_HOLDERS);
            let count = count(more);
            let text = render(self.words.port("holder", "more"), |_| Some(count.clone()));
            named.extend(text);
        }
        self.words.join_list(&named)
    }

    fn holder(&self, holder: &PortHolder<'_>) -> String {
        let socket = &holder.row.socket;
        let several = holder.rows.len() > 1;
        let name = match holder.role {
            PortRole::Listener => "listener",
            PortRole::Bound => "bound",
            PortRole::Outgoing if several => "outgoing_several",
            PortRole::Outgoing => "outgoing",
            PortRole::Connection if several => "connections",
            PortRole::Connection => "connection",
            PortRole::KernelOnly(_) => "remnant",
            PortRole::Udp => "datagrams",
        };
        let text = render(self.words.port("holder", name), |place| {
            Some(match place {
                "who" => self.owner_text(holder),
                "at" => self.addresses(holder),
                "remote" => socket.peer()?.to_string(),
                "state" => socket.state.to_string(),
                "count" => count(holder.rows.len()),
                _ => return None,
            })
        });
        let text = text.unwrap_or_default();
        if self.seen.is_in_current_namespace(holder.row) {
            return text;
        }
        let namespace = self.seen.namespace(socket);
        let called = namespace.and_then(|namespace| namespace.name.as_ref());
        let called = called.map_or_else(|| socket.namespace.to_string(), ToString::to_string);
        self.words.with_note(&text, &called)
    }

    /// The local addresses of the sockets, each once, with the interface that
    /// they are bound to; `*` for IPv4 and IPv6 together, as in the table.
    fn addresses(&self, holder: &PortHolder<'_>) -> String {
        let mut found = BTreeSet::new();
        for row in &holder.rows {
            let socket = &row.socket;
            let both = socket.is_dual_stack();
            found.insert((socket.local.address(), both, socket.interface));
        }
        let shown: Vec<String> = found
            .into_iter()
            .map(|(address, both, index)| {
                let bound = holder.rows.iter().find(|row| row.socket.interface == index);
                let name = bound.and_then(|row| self.seen.interface(&row.socket));
                let interface = match (index, name) {
                    (0, _) => String::new(),
                    (_, Some(name)) => format!("%{name}"),
                    (index, None) => format!("%{index}"),
                };
                match address {
                    _ if both => format!("*{interface}"),
                    IpAddr::V4(v4) => format!("{v4}{interface}"),
                    IpAddr::V6(v6) => format!("[{v6}{interface}]"),
                }
            })
            .collect();
        self.words.join_list(&shown)
    }

    fn owner_text(&self, holder: &PortHolder<'_>) -> String {
        let socket = &holder.row.socket;
        let user = socket.known_uid().map(|uid| {
            let name = self.seen.user(uid);
            name.map_or_else(|| format!("uid {uid}"), ToString::to_string)
        });
        let opener = self.seen.opener(holder.row);
        let name = match (holder.process, &user) {
            (Some(_), _) => "process",
            (None, Some(_)) if is_unowned(holder) && opener.is_some() => "unheld_unit",
            (None, Some(_)) if is_unowned(holder) => "unheld",
            (None, Some(_)) if opener.is_some() => "user_unit",
            (None, Some(_)) => "user",
            (None, None) => "nobody_known",
        };
        render(self.words.port("who", name), |place| match place {
            "process" => Some(holder.process?.name.to_string()),
            "pid" => Some(holder.process?.pid.to_string()),
            "unit" => Some(opener?.as_str().to_owned()),
            _ => user.clone(),
        })
        .unwrap_or_default()
    }
}

/// Adds a flag to the commands of this program in a text.
fn with_flag(text: &str, flag: &str) -> String {
    let commands = ["tcplens kill", "tcplens close", "tcplens explain"];
    commands.iter().fold(text.to_owned(), |text, command| {
        text.replace(command, &format!("{command} {flag}"))
    })
}

fn count(number: usize) -> String {
    format_thousands(u64::try_from(number).unwrap_or(u64::MAX))
}

/// True if every process was searched and none has the socket.
fn is_unowned(holder: &PortHolder<'_>) -> bool {
    holder.process.is_none() && holder.row.no_owner_reason == Some(NoOwnerReason::Kernel)
}
