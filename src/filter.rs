//! Filters on rows: a condition that users type.
//!
//! The grammar is that of ss(8), with short forms for the same tree:
//!
//! ```text
//! state syn-sent                   a state, in any tool's spelling, or a group: connected,
//! exclude time-wait                synchronized, bucket, big, all; runs of these make one set
//! sport = :443   dport >= :1024    = == != < > <= >= eq ne neq lt le gt ge; a number or a service
//! src 10.0.0.0/8   dst [2001:db8::1]:443   dst :443
//! a and b   a b   a or b   not a   ! a   ( )   && || &  |
//!
//! port:443   port:8000-8100   port:80,http   :8080   either :8080   host:192.0.2.1   192.0.2.0/24
//! process:nginx   pid:812,813   user:www-data   uid:33   inode:12345   state:syn_sent,close_wait
//! cmd:manage.py   exe:/usr/bin   cwd:/srv   unit:nginx.service   cgroup:/system.slice
//! proto:tcp   tcp   udp6   v4   ipv6   family inet6   SYN_SENT   dev eth0   autobound
//! process nginx   user root   pid 812         a value may follow any field after a space
//! *:80   [::]:22   fe80::1%eth0   192.0.2.1:443         addresses as columns show them
//! recvq > 0   sendq > 1000   retrans > 2   age > 60s
//! rtt > 100ms   rx > 1MB   tx > 500kB         round trip; bytes a second
//! drops > 0   urgency:look,act                drops at the socket; attention it deserves
//! word   "quoted words"            in anything that is shown and in command lines, in any case
//! ```
//!
//! The result for a row is a [`Truth`]: yes, no, or unknown. The negation of
//! unknown is unknown, too.
//!
//! One parser serves the command line, the screen and the rules, and the
//! canonical text of a filter parses to the same filter.

mod ast;
mod compiled;
mod condition;
mod display;
mod error;
mod field;
mod free_text;
mod matcher;
mod nearest;
mod parse;
mod print;
mod process_matches;
pub mod services;
mod state_set;
mod token;
mod truth;
mod unknown_reason;
mod value;

pub use display::{SocketEnd, protocol_label, write_address};
pub use error::ParseError;
pub use field::{FieldHelp, fields};
pub use matcher::Matcher;
pub use nearest::{nearest, normalize};
pub use truth::Truth;
pub use unknown_reason::UnknownReason;

use crate::model::observation::Observation;
use crate::model::row::Row;
use std::fmt;

/// A condition on rows.
///
/// ```
/// use tcplens::filter::Filter;
///
/// let filter = Filter::parse("state syn-sent port:https !curl").unwrap();
/// assert_eq!(filter.to_string(), "state syn_sent and port:443 and not curl");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// None matches every row.
    expr: Option<ast::Expr>,
}

impl Filter {
    /// The filter that matches every row.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// True if this is [`Filter::all`].
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.expr.is_none()
    }

    /// True if it gives better results on tables read with TCP metrics.
    #[must_use]
    pub fn uses_tcp_metrics(&self) -> bool {
        self.has_predicate(ast::Predicate::uses_tcp_metrics)
    }

    /// True if it uses values that only tables read with TCP_INFO have.
    #[must_use]
    pub fn requires_tcp_metrics(&self) -> bool {
        self.has_predicate(ast::Predicate::requires_tcp_metrics)
    }

    /// Returns the local port that the filter names, if it has no other
    /// condition: `:8080`, `port:8080`, `sport = :8080`.
    #[must_use]
    pub fn only_local_port(&self) -> Option<u16> {
        use ast::{Comparison, EndSelector, Expr, PortMatch, Predicate};
        let Some(Expr::Leaf(Predicate::Port(EndSelector::Local | EndSelector::Unspecified, ports))) =
            &self.expr
        else {
            return None;
        };
        match *ports {
            PortMatch::Compare(Comparison::Equal, port) => Some(port),
            PortMatch::Range(first, last) => (first == last).then_some(first),
            PortMatch::Compare(..) => None,
        }
        .filter(|port| *port != 0)
    }

    /// True if it uses the age of rows.
    #[must_use]
    pub fn is_of_age(&self) -> bool {
        self.has_predicate(|test| matches!(test, ast::Predicate::Age(..)))
    }

    /// True if it uses the urgency of rows, which rules of the monitor cannot
    /// know.
    #[must_use]
    pub fn uses_urgency(&self) -> bool {
        self.has_predicate(|test| matches!(test, ast::Predicate::Urgency(_)))
    }

    fn has_predicate(&self, such: fn(&ast::Predicate) -> bool) -> bool {
        self.expr
            .as_ref()
            .is_some_and(|expr| expr.any_predicate(such))
    }

    /// Parses a filter; an empty text gives [`Filter::all`]. Several arguments of
    /// a command line are to be joined with spaces.
    ///
    /// # Errors
    ///
    /// If the text does not follow the grammar, with the position and a
    /// suggestion.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let expr = parse::parse(text)?;
        Ok(Self { expr })
    }

    /// Returns the filter for signals: a port that names no end (`:8080`,
    /// `port:80,443`, `host:192.0.2.1:80`) is the local port.
    #[must_use]
    pub fn with_local_ports(&self) -> Self {
        let expr = self.expr.as_ref().map(ast::Expr::with_local_ports);
        Self { expr }
    }

    /// Returns the filter for actions: words are searched in names, states and
    /// addresses, but in no command line and no path.
    #[must_use]
    pub fn without_command_lines(&self) -> Self {
        let expr = self.expr.as_ref().map(ast::Expr::without_command_lines);
        Self { expr }
    }

    /// True if it has a port without naming an end.
    #[must_use]
    pub fn has_unqualified_port(&self) -> bool {
        self.expr
            .as_ref()
            .is_some_and(ast::Expr::has_unqualified_port)
    }

    /// True if the filter certainly matches one row. For many rows make a
    /// [`Matcher`]: most of the work is the same for all of them.
    #[must_use]
    pub fn matches(&self, row: &Row, observation: &Observation) -> bool {
        Matcher::new(self, observation).matches(row)
    }

    /// Returns the words that name no field and are searched as text.
    #[must_use]
    pub fn text_terms(&self) -> Vec<&str> {
        let mut found = Vec::new();
        if let Some(expr) = &self.expr {
            expr.collect_text_terms(&mut found);
        }
        found
    }
}

impl fmt::Display for Filter {
    /// The canonical text, without anything that could deceive on a terminal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr
            .as_ref()
            .map_or(Ok(()), |expr| write!(formatter, "{expr}"))
    }
}

#[cfg(test)]
mod proptests;
#[cfg(test)]
pub(crate) mod test_world;
#[cfg(test)]
mod tests;
