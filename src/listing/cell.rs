//! Text of a cell.

use super::column::Column;
use super::fit::{fit, width};
use super::quantity;
use crate::explain::catalogue::Catalogue;
use crate::explain::moves::{awaited, awaited_actor};
use crate::explain::sentence::fill;
use crate::explain::urgency::Urgency;
use crate::filter::{Side, protocol_word, services, write_address};
use crate::model::flow::{Flow, Rate};
use crate::model::namespace::Namespace;
use crate::model::observation::Observation;
use crate::model::owner::Unowned;
use crate::model::process::Process;
use crate::model::row::{Phase, Row};
use crate::model::state::State;
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
    pub stands_in: bool,
}

impl Cell<'_> {
    /// The text in at most that many terminal cells: whole, else the short
    /// form, else shortened.
    #[must_use]
    pub fn fitted(&self, cells: usize) -> Cow<'_, str> {
        match &self.short {
            Some(short) if width(&self.text) > cells => fit(short, cells),
            _ => fit(&self.text, cells),
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
        Column::Process => process(row, observation, words),
        Column::Pid => observation
            .first_owner(row)
            .map(|owner| owner.pid.to_string())
            .unwrap_or_default()
            .into(),
        Column::User => user(row, observation, numeric),
        Column::Proto => protocol_word(row).into(),
        Column::Local => address(Side::Local, row, observation),
        Column::Remote => address(Side::Remote, row, observation),
        Column::State => state(row),
        Column::Awaits => Cell {
            short: Some(awaited_actor(row, observation, words).to_owned().into()),
            ..awaited(row, observation, words).to_owned().into()
        },
        Column::Age => age(row, observation).into(),
        Column::Timer => socket
            .timer
            .filter(|_| row.phase != Phase::Closed)
            .map(|running| timer(running, words))
            .unwrap_or_default()
            .into(),
        Column::RecvQ => recv_queue(row).into(),
        Column::SendQ => send_queue(row).into(),
        Column::Rtt => of_flow(row, observation, |flow| {
            flow.rtt_us.map(quantity::round_trip)
        }),
        Column::Retrans => observation
            .retransmits(row)
            .map(|count| count.to_string())
            .unwrap_or_default()
            .into(),
        Column::Rx => of_flow(row, observation, |flow| Some(rate(flow.rx?))),
        Column::Tx => of_flow(row, observation, |flow| Some(rate(flow.tx?))),
        Column::Drops => observation
            .drops(row)
            .filter(|_| row.phase != Phase::Closed)
            .map(|drops| drops.to_string())
            .unwrap_or_default()
            .into(),
        Column::Service if numeric => services::telling_port(socket).to_string().into(),
        Column::Service => services::of(socket).unwrap_or_default().into(),
        Column::Unit => unit(row, observation).into(),
        Column::Netns => namespace(row, observation, words),
        Column::Inode => socket
            .inode
            .map(|inode| inode.to_string())
            .unwrap_or_default()
            .into(),
        Column::Interface => interface(row, observation),
    }
}

/// Returns a cell of the TCP metrics. Without `sock_diag` they are unavailable,
/// shown by a dash; unknown yet, they are empty.
fn of_flow(
    row: &Row,
    observation: &Observation,
    say: impl Fn(&Flow) -> Option<String>,
) -> Cell<'static> {
    if row.phase == Phase::Closed || !row.socket.is_connection() {
        return Cell::default();
    }
    if row.socket.cookie.is_none() {
        return Cell {
            stands_in: true,
            ..Cell::from("—")
        };
    }
    let said = observation.flow(row).and_then(say);
    said.unwrap_or_default().into()
}

fn rate(rate: Rate) -> String {
    quantity::bytes(rate.bytes())
}

/// Returns the sign of the most important fact about a row: that it is urgent,
/// that it just changed (TCPView's colours), that it is part of a finding, or
/// that it deserves attention.
#[must_use]
pub fn mark(row: &Row, urgency: Urgency) -> &'static str {
    match (row.phase, urgency, row.flagged) {
        (Phase::Closed, _, _) => "-",
        (_, Urgency::Act, _) => "X",
        (Phase::New, _, _) => "+",
        (Phase::Changed { .. }, _, _) => "~",
        (Phase::Steady, _, Some(_)) => "!",
        (Phase::Steady, Urgency::Look, None) => "?",
        (Phase::Steady, Urgency::Normal, None) => "",
    }
}

fn process<'o>(row: &Row, observation: &'o Observation, words: &Catalogue) -> Cell<'o> {
    let holders = row.owners.of(&observation.holders);
    let count = holders
        .chunk_by(|left, right| left.process == right.process)
        .count();
    if let Some(owner) = observation.first_owner(row) {
        let name = name(owner, words);
        return match count {
            0 | 1 => name,
            _ => format!("{} +{}", name.text, count - 1).into(),
        };
    }
    if let Some(last) = observation.last_owner(row) {
        return Cell {
            stands_in: true,
            ..said(words, "was", &last.name).into()
        };
    }
    let short = nobody(row, observation, words);
    let whole = nobody_of_unit(row, observation, words);
    Cell {
        stands_in: true,
        short: whole.is_some().then(|| short.clone().into()),
        ..whole.unwrap_or(short).into()
    }
}

/// A process may set an empty name: its program's name replaces it.
fn name<'o>(process: &'o Process, words: &Catalogue) -> Cell<'o> {
    if !process.name.is_empty() {
        return unlike_a_remark(process.name.as_str());
    }
    let program = process.exe.as_ref().map(|exe| exe.path.as_str());
    match program.and_then(|path| path.rsplit('/').next()) {
        Some(base) => format!("({base})").into(),
        None => words.cell("nameless").to_owned().into(),
    }
}

/// Returns a name with the first character escaped if it is that of this
/// program's own remarks in this column, such as `(was sshd)` and `— (uid 0)`.
fn unlike_a_remark(name: &str) -> Cell<'_> {
    if let Some(rest) = name.strip_prefix('(') {
        format!("\\x28{rest}").into()
    } else if let Some(rest) = name.strip_prefix('—') {
        format!("\\u{{2014}}{rest}").into()
    } else {
        name.into()
    }
}

/// Returns the reason why a row has no owner, in a word or two.
fn nobody(row: &Row, observation: &Observation, words: &Catalogue) -> String {
    let listener = || {
        observation
            .listeners_of(row)
            .find_map(|listener| observation.first_owner(listener))
            .map(|owner| said(words, "for", &owner.name))
    };
    let word = |name: &str| words.cell(name).to_owned();
    match row.unowned {
        Some(Unowned::TimeWait | Unowned::Orphan) => word("closed"),
        Some(Unowned::ListenerRequest) => listener().unwrap_or_else(|| word("request")),
        Some(Unowned::AcceptQueue) => listener().unwrap_or_else(|| word("queued")),
        Some(Unowned::Hidden) => match row.socket.user() {
            Some(uid) => said(words, "uid", &uid),
            None => word("hidden"),
        },
        Some(Unowned::Pending) => word("looking"),
        Some(Unowned::Kernel) => word("not_found"),
        None => word("gone"),
    }
}

/// The same with the unit that opened the socket, where that is known.
fn nobody_of_unit(row: &Row, observation: &Observation, words: &Catalogue) -> Option<String> {
    let name = match row.unowned? {
        Unowned::Hidden => "uid_unit",
        Unowned::Orphan => "closed_unit",
        Unowned::AcceptQueue if !is_for_somebody(row, observation) => "queued_unit",
        _ => return None,
    };
    let unit = observation.opener(row)?;
    fill(words.cell(name), |place| match place {
        "uid" => Some(row.socket.user()?.to_string()),
        _ => Some(unit.as_str().to_owned()),
    })
}

/// Returns true where the owner of the listener is told.
fn is_for_somebody(row: &Row, observation: &Observation) -> bool {
    let mut listeners = observation.listeners_of(row);
    listeners.any(|listener| observation.first_owner(listener).is_some())
}

/// Returns a message of the cells with a name or a number filled in.
fn said(words: &Catalogue, name: &str, value: &impl ToString) -> String {
    let sentence = words.cell(name);
    fill(sentence, |_| Some(value.to_string())).unwrap_or_default()
}

fn user<'o>(row: &Row, observation: &'o Observation, numeric: bool) -> Cell<'o> {
    let Some(uid) = row.socket.user() else {
        return Cell::default();
    };
    match observation.user(uid) {
        Some(name) if !numeric => name.as_str().into(),
        _ => uid.to_string().into(),
    }
}

fn address(side: Side, row: &Row, observation: &Observation) -> Cell<'static> {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_address(&mut text, side, row, observation);
    text.into()
}

fn state(row: &Row) -> Cell<'static> {
    let word = |state: State| match state {
        State::Unknown(_) => Cow::Owned(state.to_string()),
        known => Cow::Borrowed(known.word()),
    };
    let now = word(row.socket.state);
    match row.phase {
        Phase::Changed { from } if from != row.socket.state => Cell {
            text: Cow::Owned(format!("{}→{now}", word(from))),
            short: Some(now),
            stands_in: false,
        },
        _ => Cell {
            text: now,
            ..Cell::default()
        },
    }
}

fn age(row: &Row, observation: &Observation) -> String {
    if row.phase == Phase::Closed {
        // A closed row has no age.
        return String::new();
    }
    let age = observation.state_age(row);
    let shown = quantity::age(age.at_least);
    if age.is_exact {
        shown
    } else {
        format!("≥{shown}")
    }
}

fn timer(timer: Timer, words: &Catalogue) -> String {
    let left = quantity::time_left(timer.expires_ms);
    let kind = match timer.kind {
        TimerKind::Retransmit => words.cell("retransmit"),
        TimerKind::Keepalive => words.cell("keepalive"),
        TimerKind::TimeWait => words.cell("time_wait"),
        TimerKind::ZeroWindowProbe => words.cell("probe"),
        TimerKind::Unknown(number) => {
            return format!("{} {left}", said(words, "timer", &number));
        }
    };
    match timer.retransmits {
        0 => format!("{kind} {left}"),
        count => format!("{kind} {left} ×{count}"),
    }
}

fn recv_queue(row: &Row) -> String {
    let count = row.socket.recv_queue;
    match (row.socket.state, row.socket.backlog()) {
        (State::Listen, Some(backlog)) => format!("{count}/{backlog}"),
        (State::Listen, None) => count.to_string(),
        _ => quantity::bytes(count.into()),
    }
}

fn send_queue(row: &Row) -> String {
    match (row.socket.state, row.socket.backlog()) {
        (State::Listen, Some(backlog)) => backlog.to_string(),
        (State::Listen, None) => String::new(),
        _ => quantity::bytes(row.socket.send_queue.into()),
    }
}

fn unit<'o>(row: &Row, observation: &'o Observation) -> &'o str {
    observation
        .first_owner(row)
        .or_else(|| observation.last_owner(row))
        .and_then(|owner| owner.unit.as_ref())
        .or_else(|| observation.opener(row).map(AsRef::as_ref))
        .map_or("", |unit| unit.as_str())
}

fn namespace<'o>(row: &Row, observation: &'o Observation, words: &Catalogue) -> Cell<'o> {
    match observation.namespace(&row.socket) {
        Some(Namespace {
            name: Some(name), ..
        }) => name.as_str().into(),
        Some(Namespace { own: true, .. }) => Cell {
            stands_in: true,
            ..Cell::from(words.cell("this").to_owned())
        },
        _ => row.socket.namespace.to_string().into(),
    }
}

fn interface<'o>(row: &Row, observation: &'o Observation) -> Cell<'o> {
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
    use crate::filter::sample::{
        AVAHI, CURL_CONNECTS, CURL_WAS, HALF_OPEN, HIDDEN, JAVA, LINK_LOCAL, NGINX, NGINX_LISTENS,
        ODD, RESOLVER, SSH_LISTENS, with_openers, world,
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
            (Mark, SSH_LISTENS, ""),
            (Mark, NGINX, "~"),
            (Mark, CURL_CONNECTS, "+"),
            (Mark, CURL_WAS, "-"),
            (Process, SSH_LISTENS, "sshd"),
            (Process, NGINX, "nginx +1"),
            (Process, CURL_WAS, "(was curl)"),
            (Process, HIDDEN, "— (uid 33)"),
            (Process, HALF_OPEN, "(for nginx)"),
            (Process, ODD, "— (not found)"),
            (Pid, NGINX, "812"),
            (Pid, CURL_WAS, ""),
            (User, NGINX, "www-data"),
            (User, AVAHI, "70"),
            (User, CURL_WAS, ""),
            (User, HALF_OPEN, ""),
            (User, SSH_LISTENS, "root"),
            (Proto, NGINX, "tcp"),
            (Proto, JAVA, "tcp6"),
            (Proto, RESOLVER, "udp"),
            (Proto, AVAHI, "udp6"),
            (Local, SSH_LISTENS, "0.0.0.0:22"),
            (Local, AVAHI, "[::]:5353"),
            (Local, JAVA, "[2001:db8::10]:8080"),
            (Local, LINK_LOCAL, "[fe80::1%eth0]:22"),
            (Remote, LINK_LOCAL, "[fe80::2%eth0]:60000"),
            (Remote, SSH_LISTENS, "*"),
            (Remote, NGINX, "198.51.100.7:50122"),
            (State, NGINX, "SYN_RECV→ESTABLISHED"),
            (State, CURL_WAS, "TIME_WAIT"),
            (State, ODD, "UNKNOWN_42"),
            (Age, SSH_LISTENS, "≥3d"),
            (Age, CURL_CONNECTS, "10s"),
            (Age, JAVA, "41m"),
            (Timer, CURL_CONNECTS, "retr 4.2s ×3"),
            (Timer, JAVA, "keep 41m"),
            (Timer, CURL_WAS, ""),
            (Timer, ODD, "probe 3s"),
            (Timer, NGINX, ""),
            (RecvQ, NGINX, "33 B"),
            (RecvQ, JAVA, "4.2 kB"),
            (RecvQ, HIDDEN, "0"),
            (RecvQ, SSH_LISTENS, "3/128"),
            (RecvQ, NGINX_LISTENS, "0"),
            (SendQ, SSH_LISTENS, "128"),
            (SendQ, NGINX_LISTENS, ""),
            (SendQ, JAVA, "2.5 MB"),
            (Retrans, CURL_CONNECTS, "3"),
            (Retrans, NGINX, "0"),
            (Retrans, JAVA, "7"),
            (Rtt, JAVA, "120ms"),
            (Rtt, LINK_LOCAL, "0.04ms"),
            (Rtt, NGINX, ""),
            (Rtt, SSH_LISTENS, ""),
            (Rx, JAVA, "1.2 MB"),
            (Rx, LINK_LOCAL, "0"),
            (Rx, RESOLVER, ""),
            (Tx, JAVA, "0"),
            (Retrans, SSH_LISTENS, ""),
            (Retrans, RESOLVER, ""),
            (Service, NGINX, "https"),
            (Service, CURL_CONNECTS, "https"),
            (Service, SSH_LISTENS, "ssh"),
            (Service, AVAHI, "mdns"),
            (Inode, NGINX, "101"),
            (Inode, CURL_WAS, ""),
            (Interface, LINK_LOCAL, "eth0"),
            (Interface, NGINX, ""),
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
        assert_eq!(say(Column::User, NGINX).text, "33");
        assert_eq!(say(Column::User, CURL_WAS).text, "");
        assert_eq!(say(Column::Service, NGINX).text, "443");
    }

    #[test]
    fn without_sock_diag_a_dash_stands_for_what_is_carried() {
        let world = world();
        let mut row = world.rows[NGINX as usize];
        row.socket.cookie = None;
        let dash = cell(Column::Rx, &row, &world, false, english());
        assert_eq!((dash.text.as_ref(), dash.stands_in), ("—", true));
        row.socket.state = crate::model::state::State::Listen;
        assert_eq!(cell(Column::Rx, &row, &world, false, english()).text, "");
    }

    #[test]
    fn a_reason_stands_in_for_an_owner() {
        let world = world();
        let mut row = world.rows[HALF_OPEN as usize];
        row.socket.local.port = 81;
        for (reason, text) in [
            (Some(Unowned::ListenerRequest), "— (request)"),
            (Some(Unowned::AcceptQueue), "— (queued)"),
            (Some(Unowned::TimeWait), "— (closed)"),
            (Some(Unowned::Orphan), "— (closed)"),
            (Some(Unowned::Hidden), "— (hidden)"),
            (Some(Unowned::Pending), "— (looking)"),
            (Some(Unowned::Kernel), "— (not found)"),
            (None, "— (gone)"),
        ] {
            row.unowned = reason;
            let cell = cell(Column::Process, &row, &world, false, english());
            assert_eq!(cell.text, text);
            assert!(cell.stands_in);
        }
        let owned = cell(Column::Process, &world.rows[0], &world, false, english());
        assert!(!owned.stands_in);
    }

    #[test]
    fn an_unknown_owner_comes_with_the_unit_that_opened_the_socket() {
        let mut world = world();
        let mut rows = world.rows.to_vec();
        rows[HALF_OPEN as usize].socket.local.port = 81;
        world.rows = Arc::new(rows);
        let openers = [HIDDEN, HALF_OPEN, NGINX, SSH_LISTENS].map(|row| (row, "web.service"));
        let world = with_openers(world, &openers);
        let of = |column, row: &Row| cell(column, row, &world, false, english());
        let hidden = of(Column::Process, &world.rows[HIDDEN as usize]);
        assert_eq!(hidden.text, "— (uid 33, web.service)");
        assert_eq!(hidden.fitted(15), "— (uid 33)");
        assert!(hidden.stands_in);
        let mut row = world.rows[HALF_OPEN as usize];
        for (reason, text, unit) in [
            (
                Some(Unowned::AcceptQueue),
                "— (queued, web.service)",
                "web.service",
            ),
            (
                Some(Unowned::Orphan),
                "— (closed, web.service)",
                "web.service",
            ),
            (Some(Unowned::Kernel), "— (not found)", "web.service"),
            (None, "— (gone)", ""),
        ] {
            row.unowned = reason;
            assert_eq!(of(Column::Process, &row).text, text);
            assert_eq!(of(Column::Unit, &row).text, unit, "{reason:?}");
        }
        for known in [NGINX, SSH_LISTENS] {
            let row = &world.rows[known as usize];
            assert_eq!(of(Column::Unit, row).text, "");
            assert!(!of(Column::Process, row).text.contains("web.service"));
        }
    }

    #[test]
    fn a_trouble_is_marked_without_colour() {
        let mut row = world().rows[SSH_LISTENS as usize];
        row.flagged = Some(Severity::Warn);
        assert_eq!(mark(&row, Urgency::Normal), "!");
        assert_eq!(mark(&row, Urgency::Look), "!");
        assert_eq!(mark(&row, Urgency::Act), "X");
        row.flagged = None;
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
            &world.rows[NGINX as usize],
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
