//! Use of a port as text: one sentence, and advice.

use super::super::catalogue::Catalogue;
use super::super::sentence::{fill, grouped};
use super::super::stands_for::StandsFor;
use super::{Holder, PortStatus, Role, Verdict};
use crate::model::network::Lost;
use crate::model::observation::Observation;
use crate::model::owner::Unowned;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Maximum number of holders named; the others are counted.
const MAX_NAMED: usize = 3;

/// The verdict in one sentence.
pub(super) fn verdict(port: &PortStatus<'_>, seen: &Observation, words: &Catalogue) -> String {
    Writer { port, seen, words }.verdict()
}

/// Advice, the most useful first.
pub(super) fn advice(port: &PortStatus<'_>, seen: &Observation, words: &Catalogue) -> Vec<String> {
    let writer = Writer { port, seen, words };
    // Ending the proxy of a container does not help.
    let process = writer.first().and_then(|holder| holder.process);
    if let Some((process, other)) =
        process.and_then(|one| Some((one, StandsFor::on_port(one, port.port, seen)?)))
    {
        return vec![other.told(process, port.port, words)];
    }
    let names = writer.advice().into_iter();
    names
        .filter_map(|name| writer.sentence("next", name))
        .collect()
}

struct Writer<'a, 'o> {
    port: &'a PortStatus<'o>,
    seen: &'a Observation,
    words: &'a Catalogue,
}

impl Writer<'_, '_> {
    fn verdict(&self) -> String {
        let here = &self.port.here;
        let times_known = || self.left().is_some();
        let name = match self.port.verdict() {
            Verdict::Listened if self.port.accepted > 0 => "listened_busy",
            Verdict::Listened => "listened",
            Verdict::Taken => "taken",
            Verdict::Remnants if times_known() => "remnants",
            Verdict::Remnants => "remnants_untimed",
            Verdict::Datagrams => "datagrams",
            Verdict::Elsewhere => "elsewhere",
            Verdict::Forwarded => "forwarded",
            Verdict::Free => "free",
            Verdict::Unknown => "unknown",
        };
        let mut verdict = self.sentence("verdict", name).unwrap_or_default();
        if let Some(lost) = self.lost_by_listeners() {
            verdict = self.also(verdict, lost);
        }
        let udp = here.iter().any(|holder| holder.role == Role::Datagrams);
        if udp && self.port.verdict() != Verdict::Datagrams {
            verdict = self.also(verdict, "udp_too");
        }
        let is_told = self.port.verdict() == Verdict::Elsewhere;
        if !is_told && !self.port.elsewhere.is_empty() {
            verdict = self.also(verdict, "elsewhere_too");
        }
        verdict
    }

    fn also(&self, verdict: String, name: &str) -> String {
        match self.sentence("verdict", name) {
            Some(more) => self.words.sentences(&[verdict, more]),
            None => verdict,
        }
    }

    /// Name of the sentence about what every listener is bound to and this machine does not
    /// have any more, if that is so.
    fn lost_by_listeners(&self) -> Option<&'static str> {
        let holders = self.port.here.iter();
        let listeners = holders.filter(|holder| holder.role == Role::Listener);
        let mut lost = listeners
            .flat_map(|holder| &holder.rows)
            .map(|row| self.seen.lost(&row.socket));
        let first = lost.next()??;
        lost.all(|lost| lost.is_some()).then_some(match first {
            Lost::Interface => "lost_interface",
            Lost::Address => "lost_address",
        })
    }

    /// Names of the advice, the most useful first.
    fn advice(&self) -> Vec<&'static str> {
        let first = self.first();
        let role = first.map(|holder| holder.role);
        let known = first.is_some_and(|holder| holder.process.is_some());
        match self.port.verdict() {
            Verdict::Listened if known => vec!["kill"],
            Verdict::Taken if role == Some(Role::Outgoing) => {
                let reserve = match self.port.is_ephemeral {
                    Some(true) => "reserve",
                    _ => "outgoing",
                };
                vec![reserve, "kill_holder"]
            }
            Verdict::Taken if role == Some(Role::Bound) => vec!["bound", "kill_holder"],
            Verdict::Taken if known => vec!["connection", "kill_holder"],
            Verdict::Listened | Verdict::Taken | Verdict::Datagrams if !known => {
                vec![if first.is_some_and(is_unheld) {
                    "unheld"
                } else if self.seen.owner_search.may_gain_from_root() {
                    "hidden"
                } else {
                    "hidden_as_root"
                }]
            }
            Verdict::Remnants if self.left().is_some() => vec!["wait", "reuse"],
            Verdict::Remnants => vec!["reuse"],
            Verdict::Datagrams => vec!["kill_holder"],
            Verdict::Forwarded => vec!["container"],
            Verdict::Elsewhere => vec!["other_namespace"],
            Verdict::Free if self.port.shows_bound => vec!["nat", "bound_hidden"],
            Verdict::Free => vec!["nat", "bound_not_in_proc"],
            Verdict::Unknown => vec!["doctor"],
            Verdict::Listened | Verdict::Taken => Vec::new(),
        }
    }

    /// The most important holder.
    fn first(&self) -> Option<&Holder<'_>> {
        self.port.here.first()
    }

    fn sentence(&self, group: &str, name: &str) -> Option<String> {
        let text = fill(self.words.port(group, name), |place| self.value(place))?;
        let text = match self.seen.entered() {
            Some(entrance) if group == "next" => with_flag(&text, &entrance.flag()),
            _ => text,
        };
        (!text.is_empty()).then_some(text)
    }

    fn value(&self, place: &str) -> Option<String> {
        let here = |such: fn(&Role) -> bool| {
            let holders = self.port.here.iter();
            holders.filter(move |holder| such(&holder.role))
        };
        Some(match place {
            "port" => self.port.port.to_string(),
            "connections" => count(self.port.accepted),
            "listeners" => self.named(here(|role| *role == Role::Listener)),
            "holders" => self.named(here(|role| *role != Role::Datagrams)),
            "udp" => self.named(here(|role| *role == Role::Datagrams)),
            "others" => self.named(self.port.elsewhere.iter()),
            "targets" => self.targets(),
            "left" => self.words.length(self.left()?),
            "pid" => self.first()?.process?.pid.to_string(),
            "who" => self.who(self.first()?),
            _ => return None,
        })
    }

    fn targets(&self) -> String {
        let forwardings = self.port.forwardings.iter();
        let named: Vec<String> = forwardings
            .map(|one| {
                let text = fill(self.words.port("holder", "target"), |place| match place {
                    "remote" => Some(one.target.to_string()),
                    _ => Some(grouped(one.connections.into())),
                });
                text.unwrap_or_default()
            })
            .take(MAX_NAMED)
            .collect();
        self.words.list(&named)
    }

    /// The time until all remnants are gone, rounded up to whole seconds.
    fn left(&self) -> Option<std::time::Duration> {
        let longest = self.port.longest_left();
        let milliseconds = u64::try_from(longest?.as_millis()).ok()?;
        Some(std::time::Duration::from_secs(milliseconds.div_ceil(1000)))
    }

    fn named<'h>(&self, holders: impl Iterator<Item = &'h Holder<'h>>) -> String {
        let mut named: Vec<String> = holders.map(|holder| self.holder(holder)).collect();
        let more = named.len().saturating_sub(MAX_NAMED);
        if more > 0 {
            named.truncate(MAX_NAMED);
            let count = count(more);
            let text = fill(self.words.port("holder", "more"), |_| Some(count.clone()));
            named.extend(text);
        }
        self.words.list(&named)
    }

    fn holder(&self, holder: &Holder<'_>) -> String {
        let socket = &holder.row.socket;
        let several = holder.rows.len() > 1;
        let name = match holder.role {
            Role::Listener => "listener",
            Role::Bound => "bound",
            Role::Outgoing if several => "outgoing_several",
            Role::Outgoing => "outgoing",
            Role::Connection if several => "connections",
            Role::Connection => "connection",
            Role::Remnant(_) => "remnant",
            Role::Datagrams => "datagrams",
        };
        let text = fill(self.words.port("holder", name), |place| {
            Some(match place {
                "who" => self.who(holder),
                "at" => self.addresses(holder),
                "remote" => socket.peer()?.to_string(),
                "state" => socket.state.to_string(),
                "count" => count(holder.rows.len()),
                _ => return None,
            })
        });
        let text = text.unwrap_or_default();
        if self.seen.is_own(holder.row) {
            return text;
        }
        let namespace = self.seen.namespace(socket);
        let called = namespace.and_then(|namespace| namespace.name.as_ref());
        let called = called.map_or_else(|| socket.namespace.to_string(), ToString::to_string);
        self.words.aside(&text, &called)
    }

    /// The local addresses of the sockets, each once, with the interface that
    /// they are bound to; `*` for IPv4 and IPv6 together, as in the table.
    fn addresses(&self, holder: &Holder<'_>) -> String {
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
        self.words.list(&shown)
    }

    fn who(&self, holder: &Holder<'_>) -> String {
        let socket = &holder.row.socket;
        let user = socket.user().map(|uid| {
            let name = self.seen.user(uid);
            name.map_or_else(|| format!("uid {uid}"), ToString::to_string)
        });
        let opener = self.seen.opener(holder.row);
        let name = match (holder.process, &user) {
            (Some(_), _) => "process",
            (None, Some(_)) if is_unheld(holder) && opener.is_some() => "unheld_unit",
            (None, Some(_)) if is_unheld(holder) => "unheld",
            (None, Some(_)) if opener.is_some() => "user_unit",
            (None, Some(_)) => "user",
            (None, None) => "nobody_known",
        };
        fill(self.words.port("who", name), |place| match place {
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
    grouped(u64::try_from(number).unwrap_or(u64::MAX))
}

/// True if every process was searched and none has the socket.
fn is_unheld(holder: &Holder<'_>) -> bool {
    holder.process.is_none() && holder.row.unowned == Some(Unowned::Kernel)
}
