//! Text of a cell.

use super::column::Column;
use super::text_width::{display_width, truncate};
use super::units;
use crate::explain::catalogue::Catalogue;
use crate::explain::lab_actions::{waiting_for, waiting_for_actor};
use crate::explain::template::render;
use crate::explain::urgency::Urgency;
use crate::filter::{SocketEnd, protocol_label, services, write_address};
use crate::model::namespace::Namespace;
use crate::model::observation::Observation;
use crate::model::owner::NoOwnerReason;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::tcp_metrics::{Rate, TcpMetrics};
use crate::model::timer::{Timer, TimerKind};
use std::borrow::Cow;

/// The text of a cell, safe to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell<'o> {
    /// The full text.
    pub text: Cow<'o, str>,
    /// A shorter form, used if the full text does not fit.
    pub short: Option<Cow<'static, str>>,
    /// True if it replaces a missing value and gives the reason, as in `— (not
    /// found)`. Such cells should be dimmed.
    pub is_placeholder: bool,
}

impl Cell<'_> {
    /// The text in at most that many terminal cells: whole, else the short
    /// form, else shortened.
    #[must_use]
    pub fn fitted(&self, cells: usize) -> Cow<'_, str> {
        match &self.short {
            Some(short) if display_width(&self.text) > cells => truncate(short, cells),
            _ => truncate(&self.text, cells),
        }
    }
}

impl<'o> From<&'o str> for Cell<'o> {
    fn from(text: &'o str) -> Self {
        Self {
            text: Cow::Borrowed(text),
            ..Self::default()
        }
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self {
            text: Cow::Owned(text),
            ..Self::default()
        }
    }
}

/// Returns the cell of a row in a column. `numeric` shows numbers instead of the
/// names of users and services.
#[must_use]
pub fn cell<'o>(
    column: Column,
    row: &Row,
    observation: &'o Observation,
    numeric: bool,
    words: &Catalogue,
) -> Cell<'o> {
    let socket = &row.socket;
    match column {
        Column::Mark => mark(row, Urgency::Normal).into(),
        Column::Process => process_cell(row, observation, words),
        Column::Pid => observation
            .first_owner(row)
            .map(|owner| owner.pid.to_string())
            .unwrap_or_default()
            .into(),
        Column::User => user_cell(row, observation, numeric),
        Column::Proto => protocol_label(row).into(),
        Column::Local => address_cell(SocketEnd::Local, row, observation),
        Column::Remote => address_cell(SocketEnd::Remote, row, observation),
        Column::State => state_cell(row),
        Column::WaitsFor => Cell {
            short: Some(waiting_for_actor(row, observation, words).to_owned().into()),
            ..waiting_for(row, observation, words).to_owned().into()
        },
        Column::Age => age_text(row, observation).into(),
        Column::Timer => socket
            .timer
            .filter(|_| row.phase != Phase::Closed)
            .map(|running| timer_text(running, words))
            .unwrap_or_default()
            .into(),
        Column::RecvQ => recv_queue_text(row).into(),
        Column::SendQ => send_queue_text(row).into(),
        Column::Rtt => metrics_cell(row, observation, |flow| {
            flow.rtt_us.map(units::format_round_trip)
        }),
        Column::Retrans => observation
            .retransmits(row)
            .map(|count| count.to_string())
            .unwrap_or_default()
            .into(),
        Column::Rx => metrics_cell(row, observation, |flow| Some(format_rate(flow.rx_rate?))),
        Column::Tx => metrics_cell(row, observation, |flow| Some(format_rate(flow.tx_rate?))),
        Column::Drops => observation
            .drops(row)
            .filter(|_| row.phase != Phase::Closed)
            .map(|drops| drops.to_string())
            .unwrap_or_default()
            .into(),
        Column::Service if numeric => services::service_port(socket).to_string().into(),
        Column::Service => services::service_of(socket).unwrap_or_default().into(),
        Column::Unit => unit_text(row, observation).into(),
        Column::Netns => namespace_cell(row, observation, words),
        Column::Inode => socket
            .inode
            .map(|inode| inode.to_string())
            .unwrap_or_default()
            .into(),
        Column::Interface => interface_cell(row, observation),
    }
}

/// Returns a cell of the TCP metrics. Without `sock_diag` they are unavailable,
/// shown by a dash; unknown yet, they are empty.
fn metrics_cell(
    row: &Row,
    observation: &Observation,
    say: impl Fn(&TcpMetrics) -> Option<String>,
) -> Cell<'static> {
    if row.phase == Phase::Closed || !row.socket.is_connection() {
        return Cell::default();
    }
    if row.socket.cookie.is_none() {
        return Cell {
            is_placeholder: true,
            ..Cell::from("—")
        };
    }
    let said = observation.tcp_metrics(row).and_then(say);
    said.unwrap_or_default().into()
}

fn format_rate(rate: Rate) -> String {
    units::format_bytes(rate.bytes_per_second())
}

/// Returns the sign of the most important fact about a row: that it is urgent,
/// that it just changed (TCPView's colours), that it is part of a finding, or
/// that it deserves attention.
#[must_use]
pub fn mark(row: &Row, urgency: Urgency) -> &'static str {
    match (row.phase, urgency, row.severity) {
        (Phase::Closed, _, _) => "-",
        (_, Urgency::Act, _) => "X",
        (Phase::New, _, _) => "+",
        (Phase::Changed { .. }, _, _) => "~",
        (Phase::Unchanged, _, Some(_)) => "!",
        (Phase::Unchanged, Urgency::Look, None) => "?",
        (Phase::Unchanged, Urgency::Normal, None) => "",
    }
}

fn process_cell<'o>(row: &Row, observation: &'o Observation, words: &Catalogue) -> Cell<'o> {
    let holders = row.owners.resolve(&observation.holders);
    let count = holders
        .chunk_by(|left, right| left.process == right.process)
        .count();
    if let Some(owner) = observation.first_owner(row) {
        let name = process_name(owner, words);
        return match count {
            0 | 1 => name,
            _ => format!("{} +{}", name.text, count - 1).into(),
        };
    }
    if let Some(last) = observation.last_owner(row) {
        return Cell {
            is_placeholder: true,
            ..message(words, "was", &last.name).into()
        };
    }
    let short = no_owner_text(row, observation, words);
    let whole = nobody_of_unit(row, observation, words);
    Cell {
        is_placeholder: true,
        short: whole.is_some().then(|| short.clone().into()),
        ..whole.unwrap_or(short).into()
    }
}

/// A process may set an empty name: its program's name replaces it.
fn process_name<'o>(process: &'o Process, words: &Catalogue) -> Cell<'o> {
    if !process.name.is_empty() {
        return escape_remark_prefix(process.name.as_str());
    }
    let program = process.exe.as_ref().map(|exe| exe.path.as_str());
    match program.and_then(|path| path.rsplit('/').next()) {
        Some(base) => format!("({base})").into(),
        None => words.cell("nameless").to_owned().into(),
    }
}

/// Returns a name with the first character escaped if it is that of this
/// program's own remarks in this column, such as `(was sshd)` and `— (uid 0)`.
fn escape_remark_prefix(name: &str) -> Cell<'_> {
    if let Some(rest) = name.strip_prefix('(') {
        format!("\\x28{rest}").into()
    } else if let Some(rest) = name.strip_prefix('—') {
        format!("\\u{{2014}}{rest}").into()
    } else {
        name.into()
    }
}

/// Returns the reason why a row has no owner, in a word or two.
fn no_owner_text(row: &Row, observation: &Observation, words: &Catalogue) -> String {
    let listener = || {
        observation
            .best_listeners(row)
            .find_map(|listener| observation.first_owner(listener))
            .map(|owner| message(words, "for", &owner.name))
    };
    let word = |name: &str| words.cell(name).to_owned();
    match row.no_owner_reason {
        Some(NoOwnerReason::TimeWait | NoOwnerReason::Orphan) => word("closed"),
        Some(NoOwnerReason::ListenerRequest) => listener().unwrap_or_else(|| word("request")),
        Some(NoOwnerReason::AcceptQueue) => listener().unwrap_or_else(|| word("queued")),
        Some(NoOwnerReason::Hidden) => match row.socket.known_uid() {
            Some(uid) => message(words, "uid", &uid),
            None => word("hidden"),
        },
        Some(NoOwnerReason::Pending) => word("looking"),
        Some(NoOwnerReason::Kernel) => word("not_found"),
        None => word("gone"),
    }
}

/// The same with the unit that opened the socket, where that is known.
fn nobody_of_unit(row: &Row, observation: &Observation, words: &Catalogue) -> Option<String> {
    let name = match row.no_owner_reason? {
        NoOwnerReason::Hidden => "uid_unit",
        NoOwnerReason::Orphan => "closed_unit",
        NoOwnerReason::AcceptQueue if !is_for_somebody(row, observation) => "queued_unit",
        _ => return None,
    };
    let unit = observation.opener(row)?;
    render(words.cell(name), |place| match place {
        "uid" => Some(row.socket.known_uid()?.to_string()),
        _ => Some(unit.as_str().to_owned()),
    })
}

/// Returns true where the owner of the listener is told.
fn is_for_somebody(row: &Row, observation: &Observation) -> bool {
    let mut listeners = observation.best_listeners(row);
    listeners.any(|listener| observation.first_owner(listener).is_some())
}

/// Returns a message of the cells with a name or a number filled in.
fn message(words: &Catalogue, name: &str, value: &impl ToString) -> String {
    let sentence = words.cell(name);
    render(sentence, |_| Some(value.to_string())).unwrap_or_default()
}

fn user_cell<'o>(row: &Row, observation: &'o Observation, numeric: bool) -> Cell<'o> {
    let Some(uid) = row.socket.known_uid() else {
        return Cell::default();
    };
    match observation.user(uid) {
        Some(name) if !numeric => name.as_str().into(),
        _ => uid.to_string().into(),
    }
}

fn address_cell(side: SocketEnd, row: &Row, observation: &Observation) -> Cell<'static> {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_address(&mut text, side, row, observation);
    text.into()
}

fn state_cell(row: &Row) -> Cell<'static> {
    let word = |state: State| match state {
        State::Unknown(_) => Cow::Owned(state.to_string()),
        known => Cow::Borrowed(known.word()),
    };
    let now = word(row.socket.state);
    match row.phase {
        Phase::Changed { from } if from != row.socket.state => Cell {
            text: Cow::Owned(format!("{}→{now}", word(from))),
            short: Some(now),
            is_placeholder: false,
        },
        _ => Cell {
            text: now,
            ..Cell::default()
        },
    }
}

fn age_text(row: &Row, observation: &Observation) -> String {
    if row.phase == Phase::Closed {
        // A closed row has no age.
        return String::new();
    }
    let age = observation.state_age(row);
    let shown = units::format_age(age.at_least);
    if age.is_exact {
        shown
    } else {
        format!("≥{shown}")
    }
}

fn timer_text(timer: Timer, words: &Catalogue) -> String {
    let left = units::format_time_left(timer.expires_ms);
    let kind = match timer.kind {
        TimerKind::Retransmit => words.cell("retransmit"),
        TimerKind::Keepalive => words.cell("keepalive"),
        TimerKind::TimeWait => words.cell("time_wait"),
        TimerKind::ZeroWindowProbe => words.cell("probe"),
        TimerKind::Unknown(number) => {
            return format!("{} {left}", message(words, "timer", &number));
        }
    };
    match timer.retransmits {
        0 => format!("{kind} {left}"),
        count => format!("{kind} {left} ×{count}"),
    }
}

fn recv_queue_text(row: &Row) -> String {
    let count = row.socket.recv_queue;
    match (row.socket.state, row.socket.backlog()) {
        (State::Listen, Some(backlog)) => format!("{count}/{backlog}"),
        (State::Listen, None) => count.to_string(),
        _ => units::format_bytes(count.into()),
    }
}

fn send_queue_text(row: &Row) -> String {
    match (row.socket.state, row.socket.backlog()) {
        (State::Listen, Some(backlog)) => backlog.to_string(),
        (State::Listen, None) => String::new(),
        _ => units::format_bytes(row.socket.send_queue.into()),
    }
}

fn unit_text<'o>(row: &Row, observation: &'o Observation) -> &'o str {
    observation
        .first_owner(row)
        .or_else(|| observation.last_owner(row))
        .and_then(|owner| owner.unit.as_ref())
        .or_else(|| observation.opener(row).map(AsRef::as_ref))
        .map_or("", |unit| unit.as_str())
}

fn namespace_cell<'o>(row: &Row, observation: &'o Observation, words: &Catalogue) -> Cell<'o> {
    match observation.namespace(&row.socket) {
        Some(Namespace {
            name: Some(name), ..
        }) => name.as_str().into(),
        Some(Namespace {
            is_current: true, ..
        }) => Cell {
            is_placeholder: true,
            ..Cell::from(words.cell("this").to_owned())
        },
        _ => row.socket.namespace.to_string().into(),
    }
}

fn interface_cell<'o>(row: &Row, observation: &'o Observation) -> Cell<'o> {
    match (row.socket.interface, observation.interface(&row.socket)) {
        (0, _) => Cell::default(),
        (_, Some(name)) => name.as_str().into(),
        (index, None) => index.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::filter::test_world::{
        AVAHI_UDP, CURL_SYN_SENT, CURL_TIME_WAIT, HALF_OPEN, HIDDEN_OWNER, JAVA_CLOSE_WAIT,
        LINK_LOCAL, NGINX_CONNECTION, NGINX_LISTENER, RESOLVER_UDP, SSH_LISTENER, UNKNOWN_STATE,
        with_openers, world,
    };
    use crate::model::finding::Severity;
    use std::sync::Arc;

    fn english() -> &'static Catalogue {
        Catalogue::of(Language::English)
    }

    #[test]
    fn every_column_of_the_sample() {
        use Column::{
            Age, Inode, Interface, Local, Mark, Pid, Process, Proto, RecvQ, Remote, Retrans, Rtt,
            Rx, SendQ, Service, State, Timer, Tx, User,
        };
        let cases = [
            (Mark, SSH_LISTENER, ""),
            (Mark, NGINX_CONNECTION, "~"),
            (Mark, CURL_SYN_SENT, "+"),
            (Mark, CURL_TIME_WAIT, "-"),
            (Process, SSH_LISTENER, "sshd"),
            (Process, NGINX_CONNECTION, "nginx +1"),
            (Process, CURL_TIME_WAIT, "(was curl)"),
            (Process, HIDDEN_OWNER, "— (uid 33)"),
            (Process, HALF_OPEN, "(for nginx)"),
            (Process, UNKNOWN_STATE, "— (not found)"),
            (Pid, NGINX_CONNECTION, "812"),
            (Pid, CURL_TIME_WAIT, ""),
            (User, NGINX_CONNECTION, "www-data"),
            (User, AVAHI_UDP, "70"),
            (User, CURL_TIME_WAIT, ""),
            (User, HALF_OPEN, ""),
            (User, SSH_LISTENER, "root"),
            (Proto, NGINX_CONNECTION, "tcp"),
            (Proto, JAVA_CLOSE_WAIT, "tcp6"),
            (Proto, RESOLVER_UDP, "udp"),
            (Proto, AVAHI_UDP, "udp6"),
            (Local, SSH_LISTENER, "0.0.0.0:22"),
            (Local, AVAHI_UDP, "[::]:5353"),
            (Local, JAVA_CLOSE_WAIT, "[2001:db8::10]:8080"),
            (Local, LINK_LOCAL, "[fe80::1%eth0]:22"),
            (Remote, LINK_LOCAL, "[fe80::2%eth0]:60000"),
            (Remote, SSH_LISTENER, "*"),
            (Remote, NGINX_CONNECTION, "198.51.100.7:50122"),
            (State, NGINX_CONNECTION, "SYN_RECV→ESTABLISHED"),
            (State, CURL_TIME_WAIT, "TIME_WAIT"),
            (State, UNKNOWN_STATE, "UNKNOWN_42"),
            (Age, SSH_LISTENER, "≥3d"),
            (Age, CURL_SYN_SENT, "10s"),
            (Age, JAVA_CLOSE_WAIT, "41m"),
            (Timer, CURL_SYN_SENT, "retr 4.2s ×3"),
            (Timer, JAVA_CLOSE_WAIT, "keep 41m"),
            (Timer, CURL_TIME_WAIT, ""),
            (Timer, UNKNOWN_STATE, "probe 3s"),
            (Timer, NGINX_CONNECTION, ""),
            (RecvQ, NGINX_CONNECTION, "33 B"),
            (RecvQ, JAVA_CLOSE_WAIT, "4.2 kB"),
            (RecvQ, HIDDEN_OWNER, "0"),
            (RecvQ, SSH_LISTENER, "3/128"),
            (RecvQ, NGINX_LISTENER, "0"),
            (SendQ, SSH_LISTENER, "128"),
            (SendQ, NGINX_LISTENER, ""),
            (SendQ, JAVA_CLOSE_WAIT, "2.5 MB"),
            (Retrans, CURL_SYN_SENT, "3"),
            (Retrans, NGINX_CONNECTION, "0"),
            (Retrans, JAVA_CLOSE_WAIT, "7"),
            (Rtt, JAVA_CLOSE_WAIT, "120ms"),
            (Rtt, LINK_LOCAL, "0.04ms"),
            (Rtt, NGINX_CONNECTION, ""),
            (Rtt, SSH_LISTENER, ""),
            (Rx, JAVA_CLOSE_WAIT, "1.2 MB"),
            (Rx, LINK_LOCAL, "0"),
            (Rx, RESOLVER_UDP, ""),
            (Tx, JAVA_CLOSE_WAIT, "0"),
            (Retrans, SSH_LISTENER, ""),
            (Retrans, RESOLVER_UDP, ""),
            (Service, NGINX_CONNECTION, "https"),
            (Service, CURL_SYN_SENT, "https"),
            (Service, SSH_LISTENER, "ssh"),
            (Service, AVAHI_UDP, "mdns"),
            (Inode, NGINX_CONNECTION, "101"),
            (Inode, CURL_TIME_WAIT, ""),
            (Interface, LINK_LOCAL, "eth0"),
            (Interface, NGINX_CONNECTION, ""),
        ];
        let world = world();
        for (column, number, text) in cases {
            let row = &world.rows[number as usize];
            let cell = cell(column, row, &world, false, english());
            assert_eq!(cell.text, text, "{column:?} of row {number}");
        }
    }

    #[test]
    fn numbers_stand_for_names_where_asked() {
        let world = world();
        let say = |column, number: u32| {
            cell(
                column,
                &world.rows[number as usize],
                &world,
                true,
                english(),
            )
        };
        assert_eq!(say(Column::User, NGINX_CONNECTION).text, "33");
        assert_eq!(say(Column::User, CURL_TIME_WAIT).text, "");
        assert_eq!(say(Column::Service, NGINX_CONNECTION).text, "443");
    }

    #[test]
    fn without_sock_diag_a_dash_stands_for_what_is_carried() {
        let world = world();
        let mut row = world.rows[NGINX_CONNECTION as usize];
        row.socket.cookie = None;
        let dash = cell(Column::Rx, &row, &world, false, english());
        assert_eq!((dash.text.as_ref(), dash.is_placeholder), ("—", true));
        row.socket.state = crate::model::state::State::Listen;
        assert_eq!(cell(Column::Rx, &row, &world, false, english()).text, "");
    }

    #[test]
    fn reason_is_shown_without_an_owner() {
        let world = world();
        let mut row = world.rows[HALF_OPEN as usize];
        row.socket.local.port = 81;
        for (reason, text) in [
            (Some(NoOwnerReason::ListenerRequest), "— (request)"),
            (Some(NoOwnerReason::AcceptQueue), "— (queued)"),
            (Some(NoOwnerReason::TimeWait), "— (closed)"),
            (Some(NoOwnerReason::Orphan), "— (closed)"),
            (Some(NoOwnerReason::Hidden), "— (hidden)"),
            (Some(NoOwnerReason::Pending), "— (looking)"),
            (Some(NoOwnerReason::Kernel), "— (not found)"),
            (None, "— (gone)"),
        ] {
            row.no_owner_reason = reason;
            let cell = cell(Column::Process, &row, &world, false, english());
            assert_eq!(cell.text, text);
            assert!(cell.is_placeholder);
        }
        let owned = cell(Column::Process, &world.rows[0], &world, false, english());
        assert!(!owned.is_placeholder);
    }

    #[test]
    fn an_unknown_owner_comes_with_the_unit_that_opened_the_socket() {
        let mut world = world();
        let mut rows = world.rows.to_vec();
        rows[HALF_OPEN as usize].socket.local.port = 81;
        world.rows = Arc::new(rows);
        let openers = [HIDDEN_OWNER, HALF_OPEN, NGINX_CONNECTION, SSH_LISTENER]
            .map(|row| (row, "web.service"));
        let world = with_openers(world, &openers);
        let of = |column, row: &Row| cell(column, row, &world, false, english());
        let hidden = of(Column::Process, &world.rows[HIDDEN_OWNER as usize]);
        assert_eq!(hidden.text, "— (uid 33, web.service)");
        assert_eq!(hidden.fitted(15), "— (uid 33)");
        assert!(hidden.is_placeholder);
        let mut row = world.rows[HALF_OPEN as usize];
        for (reason, text, unit) in [
            (
                Some(NoOwnerReason::AcceptQueue),
                "— (queued, web.service)",
                "web.service",
            ),
            (
                Some(NoOwnerReason::Orphan),
                "— (closed, web.service)",
                "web.service",
            ),
            (Some(NoOwnerReason::Kernel), "— (not found)", "web.service"),
            (None, "— (gone)", ""),
        ] {
            row.no_owner_reason = reason;
            assert_eq!(of(Column::Process, &row).text, text);
            assert_eq!(of(Column::Unit, &row).text, unit, "{reason:?}");
        }
        for known in [NGINX_CONNECTION, SSH_LISTENER] {
            let row = &world.rows[known as usize];
            assert_eq!(of(Column::Unit, row).text, "");
            assert!(!of(Column::Process, row).text.contains("web.service"));
        }
    }

    #[test]
    fn a_trouble_is_marked_without_colour() {
        let mut row = world().rows[SSH_LISTENER as usize];
        row.severity = Some(Severity::Warning);
        assert_eq!(mark(&row, Urgency::Normal), "!");
        assert_eq!(mark(&row, Urgency::Look), "!");
        assert_eq!(mark(&row, Urgency::Act), "X");
        row.severity = None;
        assert_eq!(mark(&row, Urgency::Look), "?");
        row.phase = Phase::New;
        assert_eq!(mark(&row, Urgency::Act), "X");
        assert_eq!(mark(&row, Urgency::Look), "+");
        row.phase = Phase::Closed;
        assert_eq!(mark(&row, Urgency::Act), "-");
    }

    #[test]
    fn a_change_of_state_shrinks_to_the_new_one() {
        let world = world();
        let cell = cell(
            Column::State,
            &world.rows[NGINX_CONNECTION as usize],
            &world,
            false,
            english(),
        );
        assert_eq!(cell.fitted(30), "SYN_RECV→ESTABLISHED");
        assert_eq!(cell.fitted(12), "ESTABLISHED");
        assert_eq!(cell.fitted(5), "ESTA…");
    }

    #[test]
    fn foreign_names_are_safe() {
        let mut world = world();
        let mut evil = (*world.processes[0]).clone();
        evil.name = "ss\u{1b}[2Jhd".into();
        world.processes[0] = Arc::new(evil);
        let cell = cell(Column::Process, &world.rows[0], &world, false, english());
        assert_eq!(cell.text, "ss\\x1b[2Jhd");
    }
}
