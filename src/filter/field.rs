//! The field names of filters.

use super::ast::{End, Fact, Number};
use super::nearest::nearest;

/// Field that a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    State,
    Exclude,
    Port(End),
    Host(End),
    Owner(Fact),
    Namespace,
    Pid,
    User,
    Uid,
    Protocol,
    Family,
    Device,
    Inode,
    Number(Number),
    Age,
    RoundTrip,
    Urgency,
}

/// Every spelling; the first of a field is the canonical one.
const WORDS: &[(&str, Field)] = &[
    ("state", Field::State),
    ("exclude", Field::Exclude),
    ("excl", Field::Exclude),
    ("port", Field::Port(End::Either)),
    ("portrange", Field::Port(End::Either)),
    ("either", Field::Port(End::Any)),
    ("sport", Field::Port(End::Local)),
    ("dport", Field::Port(End::Remote)),
    ("host", Field::Host(End::Either)),
    ("net", Field::Host(End::Either)),
    ("src", Field::Host(End::Local)),
    ("dst", Field::Host(End::Remote)),
    ("process", Field::Owner(Fact::Process)),
    ("proc", Field::Owner(Fact::Process)),
    ("cmd", Field::Owner(Fact::Command)),
    ("command", Field::Owner(Fact::Command)),
    ("exe", Field::Owner(Fact::Exe)),
    ("cwd", Field::Owner(Fact::Directory)),
    ("unit", Field::Owner(Fact::Unit)),
    ("container", Field::Owner(Fact::Unit)),
    ("cgroup", Field::Owner(Fact::ControlGroup)),
    ("netns", Field::Namespace),
    ("pid", Field::Pid),
    ("user", Field::User),
    ("uid", Field::Uid),
    ("proto", Field::Protocol),
    ("protocol", Field::Protocol),
    ("family", Field::Family),
    ("dev", Field::Device),
    ("interface", Field::Device),
    ("inode", Field::Inode),
    ("recvq", Field::Number(Number::RecvQueue)),
    ("recv-q", Field::Number(Number::RecvQueue)),
    ("sendq", Field::Number(Number::SendQueue)),
    ("send-q", Field::Number(Number::SendQueue)),
    ("retrans", Field::Number(Number::Retransmits)),
    ("age", Field::Age),
    ("rtt", Field::RoundTrip),
    ("rx", Field::Number(Number::RxRate)),
    ("tx", Field::Number(Number::TxRate)),
    ("drops", Field::Number(Number::Drops)),
    ("urgency", Field::Urgency),
];

/// Names that other tools use, and the nearest field.
const SYNONYMS: &[(&str, &str)] = &[
    ("program", "exe"),
    ("path", "exe"),
    ("name", "process"),
    ("comm", "process"),
    ("args", "cmd"),
    ("address", "host"),
    ("addr", "host"),
    ("ip", "host"),
    ("local", "src"),
    ("laddr", "src"),
    ("lport", "sport"),
    ("remote", "dst"),
    ("peer", "dst"),
    ("raddr", "dst"),
    ("rport", "dport"),
    ("service", "port"),
    ("status", "state"),
    ("namespace", "netns"),
    ("iface", "dev"),
];

/// A field as the help shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldHelp {
    /// The canonical name.
    pub word: &'static str,
    /// Its other names.
    pub spellings: Vec<&'static str>,
    /// A valid example.
    pub example: &'static str,
    /// True if its values are compared with `<` and `>`, too.
    pub is_ordered: bool,
    /// True if a comma separates two values.
    pub takes_lists: bool,
}

/// Every field, in the order in which messages list them.
#[must_use]
pub fn fields() -> Vec<FieldHelp> {
    let canonical = WORDS.iter().filter(|(word, field)| field.word() == *word);
    let fields = canonical.map(|(word, field)| FieldHelp {
        word,
        spellings: WORDS
            .iter()
            .filter(|(other, same)| same == field && other != word)
            .map(|(other, _)| *other)
            .collect(),
        example: field.example(),
        is_ordered: field.is_ordered(),
        takes_lists: field.takes_lists(),
    });
    fields.collect()
}

impl Field {
    /// Returns the field with this name.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let (_, field) = WORDS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word))?;
        Some(*field)
    }

    /// Returns the name of the field nearest to a mistyped one.
    pub(super) fn nearest(word: &str) -> Option<&'static str> {
        let mut synonyms = SYNONYMS.iter();
        let synonym = synonyms.find(|(other, _)| other.eq_ignore_ascii_case(word));
        synonym
            .map(|(_, known)| *known)
            .or_else(|| nearest(word, WORDS.iter().map(|(known, _)| *known)))
    }

    /// Returns the canonical names of all fields, separated by commas.
    pub(super) fn list() -> String {
        let words: Vec<&str> = fields().iter().map(|field| field.word).collect();
        words.join(", ")
    }

    /// The canonical name.
    pub(super) fn word(self) -> &'static str {
        WORDS
            .iter()
            .find(|(_, field)| *field == self)
            .map_or("", |(word, _)| word)
    }

    /// True if the name without a value is an error. Other names are then
    /// searched as text.
    pub(super) fn stands_alone(self) -> bool {
        match self {
            Self::State | Self::Exclude | Self::Port(_) | Self::Host(_) | Self::Age => true,
            Self::Number(number) => !matches!(number, Number::RxRate | Number::TxRate),
            Self::Owner(_)
            | Self::Namespace
            | Self::Pid
            | Self::User
            | Self::Uid
            | Self::Protocol
            | Self::Family
            | Self::Device
            | Self::Inode
            | Self::RoundTrip
            | Self::Urgency => false,
        }
    }

    /// True if an operator must stand between name and value.
    pub(super) fn needs_sign(self) -> bool {
        matches!(self, Self::Number(_) | Self::Age | Self::RoundTrip)
    }

    /// True if values are ordered, so that `<` is valid.
    pub(super) fn is_ordered(self) -> bool {
        matches!(
            self,
            Self::Port(_) | Self::Number(_) | Self::Age | Self::RoundTrip
        )
    }

    /// True if a comma in a value separates two values.
    pub(super) fn takes_lists(self) -> bool {
        !matches!(self, Self::Owner(_) | Self::Namespace | Self::Device)
    }

    /// A valid example, for messages.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::State => "state syn-sent",
            Self::Exclude => "exclude time-wait",
            Self::Port(End::Either) => "port:443",
            Self::Port(End::Any) => "either :443",
            Self::Port(End::Local) => "sport = :443",
            Self::Port(End::Remote) => "dport = :443",
            Self::Host(End::Either | End::Any) => "host:192.0.2.1",
            Self::Host(End::Local) => "src 192.0.2.0/24",
            Self::Host(End::Remote) => "dst 192.0.2.0/24",
            Self::Owner(Fact::Process) => "process:nginx",
            Self::Owner(Fact::Unit) => "unit:nginx.service",
            Self::Owner(Fact::Command) => "cmd:manage.py",
            Self::Owner(Fact::Exe) => "exe:/usr/sbin/nginx",
            Self::Owner(Fact::Directory) => "cwd:/srv/shop",
            Self::Owner(Fact::ControlGroup) => "cgroup:/system.slice",
            Self::Namespace => "netns:blue",
            Self::Pid => "pid:812",
            Self::User => "user:www-data",
            Self::Uid => "uid:33",
            Self::Protocol => "proto:tcp",
            Self::Family => "family inet6",
            Self::Device => "dev eth0",
            Self::Inode => "inode:12345",
            Self::Number(Number::RecvQueue) => "recvq > 0",
            Self::Number(Number::SendQueue) => "sendq > 0",
            Self::Number(Number::Retransmits) => "retrans > 2",
            Self::Number(Number::RxRate) => "rx > 1MB",
            Self::Number(Number::TxRate) => "tx > 1MB",
            Self::Age => "age > 60s",
            Self::Number(Number::Drops) => "drops > 0",
            Self::RoundTrip => "rtt > 100ms",
            Self::Urgency => "urgency:act",
        }
    }
}
