//! The field names of filters.

use super::ast::{EndSelector, NumericField, ProcessField};
use super::nearest::nearest;

/// Field that a value is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FilterField {
    State,
    Exclude,
    Port(EndSelector),
    Host(EndSelector),
    Process(ProcessField),
    Namespace,
    Pid,
    User,
    Uid,
    Protocol,
    Family,
    Device,
    Inode,
    Number(NumericField),
    Age,
    RoundTrip,
    Urgency,
}

/// Every spelling; the first of a field is the canonical one.
const FIELD_NAMES: &[(&str, FilterField)] = &[
    ("state", FilterField::State),
    ("exclude", FilterField::Exclude),
    ("excl", FilterField::Exclude),
    ("port", FilterField::Port(EndSelector::Unspecified)),
    ("portrange", FilterField::Port(EndSelector::Unspecified)),
    ("either", FilterField::Port(EndSelector::ExplicitEither)),
    ("sport", FilterField::Port(EndSelector::Local)),
    ("dport", FilterField::Port(EndSelector::Remote)),
    ("host", FilterField::Host(EndSelector::Unspecified)),
    ("net", FilterField::Host(EndSelector::Unspecified)),
    ("src", FilterField::Host(EndSelector::Local)),
    ("dst", FilterField::Host(EndSelector::Remote)),
    ("process", FilterField::Process(ProcessField::Name)),
    ("proc", FilterField::Process(ProcessField::Name)),
    ("cmd", FilterField::Process(ProcessField::CommandLine)),
    ("command", FilterField::Process(ProcessField::CommandLine)),
    ("exe", FilterField::Process(ProcessField::Exe)),
    ("cwd", FilterField::Process(ProcessField::WorkingDirectory)),
    ("unit", FilterField::Process(ProcessField::Unit)),
    ("container", FilterField::Process(ProcessField::Unit)),
    ("cgroup", FilterField::Process(ProcessField::Cgroup)),
    ("netns", FilterField::Namespace),
    ("pid", FilterField::Pid),
    ("user", FilterField::User),
    ("uid", FilterField::Uid),
    ("proto", FilterField::Protocol),
    ("protocol", FilterField::Protocol),
    ("family", FilterField::Family),
    ("dev", FilterField::Device),
    ("interface", FilterField::Device),
    ("inode", FilterField::Inode),
    ("recvq", FilterField::Number(NumericField::RecvQueue)),
    ("recv-q", FilterField::Number(NumericField::RecvQueue)),
    ("sendq", FilterField::Number(NumericField::SendQueue)),
    ("send-q", FilterField::Number(NumericField::SendQueue)),
    ("retrans", FilterField::Number(NumericField::Retransmits)),
    ("age", FilterField::Age),
    ("rtt", FilterField::RoundTrip),
    ("rx", FilterField::Number(NumericField::RxRate)),
    ("tx", FilterField::Number(NumericField::TxRate)),
    ("drops", FilterField::Number(NumericField::Drops)),
    ("urgency", FilterField::Urgency),
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
    let canonical = FIELD_NAMES
        .iter()
        .filter(|(word, field)| field.word() == *word);
    let fields = canonical.map(|(word, field)| FieldHelp {
        word,
        spellings: FIELD_NAMES
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

impl FilterField {
    /// Returns the field with this name.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        let (_, field) = FIELD_NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word))?;
        Some(*field)
    }

    /// Returns the name of the field nearest to a mistyped one.
    pub(super) fn suggest(word: &str) -> Option<&'static str> {
        let mut synonyms = SYNONYMS.iter();
        let synonym = synonyms.find(|(other, _)| other.eq_ignore_ascii_case(word));
        synonym
            .map(|(_, known)| *known)
            .or_else(|| nearest(word, FIELD_NAMES.iter().map(|(known, _)| *known)))
    }

    /// Returns the canonical names of all fields, separated by commas.
    pub(super) fn joined_names() -> String {
        let words: Vec<&str> = fields().iter().map(|field| field.word).collect();
        words.join(", ")
    }

    /// The canonical name.
    pub(super) fn word(self) -> &'static str {
        FIELD_NAMES
            .iter()
            .find(|(_, field)| *field == self)
            .map_or("", |(word, _)| word)
    }

    /// True if the name without a value is an error. Other names are then
    /// searched as text.
    pub(super) fn requires_value(self) -> bool {
        match self {
            Self::State | Self::Exclude | Self::Port(_) | Self::Host(_) | Self::Age => true,
            Self::Number(number) => !matches!(number, NumericField::RxRate | NumericField::TxRate),
            Self::Process(_)
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
    pub(super) fn requires_operator(self) -> bool {
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
        !matches!(self, Self::Process(_) | Self::Namespace | Self::Device)
    }

    /// A valid example, for messages.
    pub(super) fn example(self) -> &'static str {
        match self {
            Self::State => "state syn-sent",
            Self::Exclude => "exclude time-wait",
            Self::Port(EndSelector::Unspecified) => "port:443",
            Self::Port(EndSelector::ExplicitEither) => "either :443",
            Self::Port(EndSelector::Local) => "sport = :443",
            Self::Port(EndSelector::Remote) => "dport = :443",
            Self::Host(EndSelector::Unspecified | EndSelector::ExplicitEither) => "host:192.0.2.1",
            Self::Host(EndSelector::Local) => "src 192.0.2.0/24",
            Self::Host(EndSelector::Remote) => "dst 192.0.2.0/24",
            Self::Process(ProcessField::Name) => "process:nginx",
            Self::Process(ProcessField::Unit) => "unit:nginx.service",
            Self::Process(ProcessField::CommandLine) => "cmd:manage.py",
            Self::Process(ProcessField::Exe) => "exe:/usr/sbin/nginx",
            Self::Process(ProcessField::WorkingDirectory) => "cwd:/srv/shop",
            Self::Process(ProcessField::Cgroup) => "cgroup:/system.slice",
            Self::Namespace => "netns:blue",
            Self::Pid => "pid:812",
            Self::User => "user:www-data",
            Self::Uid => "uid:33",
            Self::Protocol => "proto:tcp",
            Self::Family => "family inet6",
            Self::Device => "dev eth0",
            Self::Inode => "inode:12345",
            Self::Number(NumericField::RecvQueue) => "recvq > 0",
            Self::Number(NumericField::SendQueue) => "sendq > 0",
            Self::Number(NumericField::Retransmits) => "retrans > 2",
            Self::Number(NumericField::RxRate) => "rx > 1MB",
            Self::Number(NumericField::TxRate) => "tx > 1MB",
            Self::Age => "age > 60s",
            Self::Number(NumericField::Drops) => "drops > 0",
            Self::RoundTrip => "rtt > 100ms",
            Self::Urgency => "urgency:act",
        }
    }
}
