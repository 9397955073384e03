//! Closing connections: asks, confirms, closes, and checks in the next tables
//! that they are gone.
//!
//! The command line asks the same question by other means, so that the question
//! itself ([`CloseConfirmation`]) is independent of a screen.

use super::App;
use super::effect::Effect;
use super::keys::Key;
use super::mode::Mode;
use super::notice::Notice;
use super::tags::Tags;
use crate::explain::catalogue::Catalogue;
use crate::explain::template::render;
use crate::filter::{SocketEnd, write_address};
use crate::listing::shell_arguments;
use crate::model::action::{AccessMode, MAX_TARGETS};
use crate::model::close::{CloseRefusal, CloseResult, CloseTarget, mark_closed_with_peer};
use crate::model::login_session::LoginSession;
use crate::model::observation::Observation;
use crate::model::risk::{Risk, TypedConfirmation};
use crate::model::row::{Phase, Row};
use crate::model::state::State;
use crate::model::text::Text;
use std::collections::BTreeMap;

/// Maximum number of digits typed; no demanded number is as long.
const MAX_TYPED_DIGITS: usize = 12;

/// The question before connections are closed, frozen when it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseConfirmation {
    /// Sockets that would be closed, in the order of the table.
    pub targets: Vec<CloseItem>,
    /// Connections that would not, in words, and the reason.
    pub excluded: Vec<(String, CloseRefusal)>,
    /// Number that must be typed, if one key is not enough.
    pub typed_confirmation: Option<TypedConfirmation>,
    /// Digits typed so far.
    pub typed: String,
    /// Lines scrolled, while the explanation replaces the question.
    pub help_scroll: Option<u16>,
}

/// A socket that is to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseItem {
    /// Its identity for the kernel.
    pub target: CloseTarget,
    /// Its ends: `192.0.2.10:443 → 198.51.100.7:50122`.
    pub endpoints: String,
    /// Holders by pid and name, smallest pid first.
    pub owners: Vec<(u32, Text)>,
    /// The user of the first of them.
    pub user: Option<Text>,
    /// The unit that opened it, where no process is known to hold it.
    pub opener: Option<Text>,
}

impl CloseItem {
    /// The first owner: `nginx (812)`; if unknown, a note that there is one, or
    /// none.
    #[must_use]
    pub fn owner_text(&self, words: &Catalogue) -> String {
        let name = match (self.owners.first(), self.target.socket().inode) {
            (Some((pid, name)), _) => return format!("{name} ({pid})"),
            (None, Some(_)) if self.opener.is_some() => "hidden_unit",
            (None, Some(_)) => "hidden",
            (None, None) if self.opener.is_some() => "nobody_unit",
            (None, None) => "nobody",
        };
        let unit = || Some(self.opener.as_ref()?.to_string());
        render(words.closing("dialog", name), |_| unit()).unwrap_or_default()
    }
}

impl CloseConfirmation {
    /// Builds the question for rows of the table.
    #[must_use]
    pub fn from_rows(rows: &[&Row], observation: &Observation, session: &LoginSession) -> Self {
        let own = observation.namespaces.iter().find(|known| known.is_current);
        let own = own.map_or(0, |known| known.id);
        let mut closing = Self::default();
        let mut cautions = Vec::new();
        let mut inside: BTreeMap<u32, Option<u32>> = BTreeMap::new();
        for row in rows {
            let what = endpoints_text(row, observation);
            let known = observation
                .detail(row)
                .is_some_and(|detail| detail.info.is_subflow);
            let target = CloseTarget::from_row(row, own);
            let target = if known {
                target.and_then(CloseTarget::into_mptcp)
            } else {
                target
            };
            match target {
                Err(CloseRefusal::OtherNamespace(_)) => {
                    let namespace = row.socket.namespace;
                    let pid = *inside
                        .entry(namespace)
                        .or_insert_with(|| first_process_in(namespace, observation));
                    let refusal = CloseRefusal::OtherNamespace(pid);
                    closing.excluded.push((what, refusal));
                }
                Err(refusal) => closing.excluded.push((what, refusal)),
                Ok(target) => {
                    cautions.extend(target.risk());
                    let owners = || observation.owners(row).map(|(owner, _)| &**owner);
                    if session.may_be_carried_by(&row.socket, owners()) {
                        cautions.push(Risk::LoginSession);
                    }
                    let uid = owners().next().and_then(|owner| owner.uid);
                    closing.targets.push(CloseItem {
                        target,
                        endpoints: what,
                        owners: owners()
                            .map(|owner| (owner.pid, owner.name.clone()))
                            .collect(),
                        user: uid.map(|uid| {
                            let name = observation.user(uid).cloned();
                            name.unwrap_or_else(|| Text::from(uid.to_string().as_str()))
                        }),
                        opener: observation.opener(row).map(|unit| unit.text().clone()),
                    });
                }
            }
        }
        if let [_, _, ..] = closing.targets[..] {
            let count = u32::try_from(closing.targets.len()).unwrap_or(u32::MAX);
            cautions.push(Risk::MultipleTargets(count));
        }
        closing.typed_confirmation =
            TypedConfirmation::from_risks(cautions, closing.first_local_port());
        closing
    }

    /// Marks paths of MPTCP as such, and excludes its listeners.
    pub fn mark_mptcp(&mut self, mut is_mptcp: impl FnMut(&CloseTarget) -> bool) {
        let targets = std::mem::take(&mut self.targets);
        for item in targets {
            let target = if is_mptcp(&item.target) {
                item.target.into_mptcp()
            } else {
                Ok(item.target)
            };
            match target {
                Ok(target) => self.targets.push(CloseItem { target, ..item }),
                Err(refusal) => self.excluded.push((item.endpoints, refusal)),
            }
        }
        let before = self.typed_confirmation.take();
        let before = before.iter().flat_map(TypedConfirmation::risks);
        // The excluded sockets carry no login: they listen.
        let mut cautions: Vec<Risk> = before
            .copied()
            .filter(|caution| *caution == Risk::LoginSession)
            .collect();
        cautions.extend(self.targets.iter().filter_map(|item| item.target.risk()));
        if let [_, _, ..] = self.targets[..] {
            let count = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
            cautions.push(Risk::MultipleTargets(count));
        }
        self.typed_confirmation = TypedConfirmation::from_risks(cautions, self.first_local_port());
    }

    /// The local port of the first target: the number to type for one.
    #[must_use]
    pub fn first_local_port(&self) -> u32 {
        let first = self.targets.first();
        first.map_or(0, |item| item.target.socket().local.port.into())
    }

    /// True if it has been confirmed.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        let demand = self.typed_confirmation.as_ref();
        demand.is_none_or(|demand| demand.matches(&self.typed))
    }
}

/// Returns the reason why a socket was not closed, in words.
#[must_use]
pub fn close_refusal_text(refusal: &CloseRefusal, words: &Catalogue) -> String {
    let reason = words.closing("refused", refusal.key());
    match refusal {
        CloseRefusal::Failed(message) => words.join_sentences(&[reason, &format!("{message}.")]),
        CloseRefusal::OtherNamespace(Some(pid)) => {
            render(reason, |_| Some(pid.to_string())).unwrap_or_default()
        }
        _ => reason.to_owned(),
    }
}

/// A request to the kernel, and its results.
#[derive(Clone, Debug)]
pub(super) struct PendingClose {
    items: Vec<CloseItem>,
    /// The results, once received, and the number of the latest table at that
    /// time.
    results: Option<(Vec<CloseResult>, u64)>,
}

impl PendingClose {
    /// True if a table shows the outcome.
    fn is_reportable(&self, observation: &Observation) -> bool {
        let then = self.results.as_ref().map(|(_, then)| *then);
        then.is_some_and(|then| observation.table_number >= then + 2)
    }
}

/// A process in a network namespace: the first that has a socket there.
fn first_process_in(namespace: u32, observation: &Observation) -> Option<u32> {
    let rows = observation.rows.iter();
    let mut inside = rows.filter(|row| row.socket.namespace == namespace);
    inside.find_map(|row| Some(observation.first_owner(row)?.pid))
}

/// Formats both ends of a row, or the end of a listener.
fn endpoints_text(row: &Row, observation: &Observation) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_address(&mut text, SocketEnd::Local, row, observation);
    if row.socket.peer().is_some() {
        text.push_str(" → ");
        let _ = write_address(&mut text, SocketEnd::Remote, row, observation);
    }
    text
}

impl App {
    /// True if the close command has a target.
    pub(super) fn has_closable(&self) -> bool {
        let closable = |row: &Row| CloseTarget::from_row(row, 0).is_ok();
        self.tags.count() > 0 || self.selected().is_some_and(closable)
    }

    pub(super) fn close_connection(&mut self) -> Vec<Effect> {
        if self.access_mode == AccessMode::ReadOnly {
            self.notify_close_refused(&CloseRefusal::Disabled);
            return Vec::new();
        }
        if let Some(refusal) = self.close_refusal().cloned() {
            self.notify_close_refused(&refusal);
            return Vec::new();
        }
        if self.tags.have_all_gone() {
            self.tags.clear();
            self.notify(self.messages.closing("tags", "lapsed").to_owned());
            return Vec::new();
        }
        let rows = self.target_rows();
        if rows.is_empty() {
            return self.notify_nothing_selected();
        }
        let closing = CloseConfirmation::from_rows(&rows, &self.observation, &self.login_session);
        let count = closing.targets.len();
        if count > MAX_TARGETS {
            let sentence = self.messages.closing("refused", "too_many");
            let text = render(sentence, |place| match place {
                "count" => Some(count.to_string()),
                "filter" => Some(shell_arguments(&self.filter, &self.quick_filter)),
                _ => Some(MAX_TARGETS.to_string()),
            });
            self.notify(text.unwrap_or_default());
        } else if count == 0 {
            let told = self.not_closed_message(&closing.excluded);
            self.notify(told.unwrap_or_default());
        } else {
            self.confirmation_guard.reset();
            self.mode = Mode::Close(Box::new(closing));
        }
        Vec::new()
    }

    /// Handles a key while a number is being typed.
    pub(super) fn handle_close_key(&mut self, key: Key) -> Vec<Effect> {
        let Mode::Close(closing) = &mut self.mode else {
            return Vec::new();
        };
        match key {
            Key::Ctrl('c') => return vec![Effect::Quit],
            Key::Ctrl('z') => return vec![Effect::Suspend],
            Key::Esc | Key::Char('n' | 'q') => self.close_pages(),
            Key::Char('?' | 'h') | Key::F(1) => return self.show_dialog_help(Some(0)),
            Key::Enter if closing.is_confirmed() => return self.confirm_close(),
            Key::Enter | Key::Ctrl('u') => closing.typed.clear(),
            Key::Backspace | Key::Ctrl('h') => drop(closing.typed.pop()),
            Key::Char(digit)
                if digit.is_ascii_digit() && closing.typed.len() < MAX_TYPED_DIGITS =>
            {
                closing.typed.push(digit);
            }
            _ => self.confirmation_guard.restart_reading_time(self.now),
        }
        Vec::new()
    }

    pub(super) fn confirm_close(&mut self) -> Vec<Effect> {
        let Mode::Close(closing) = &self.mode else {
            return Vec::new();
        };
        if !closing.is_confirmed() || !self.confirmation_guard.try_accept(self.now) {
            return Vec::new();
        }
        let asked = closing.targets.clone();
        let targets = asked.iter().map(|item| item.target).collect();
        self.close_pages();
        // Tags are cleared once the action has been sent.
        self.tags = Tags::default();
        self.pending_closes.push(PendingClose {
            items: asked,
            results: None,
        });
        vec![Effect::Close(targets)]
    }

    /// Handles the kernel's results: reported at once, and again as soon as the
    /// next tables show the outcome.
    pub(super) fn close_results(&mut self, results: Vec<CloseResult>) -> Vec<Effect> {
        let newest = self.latest_table;
        // Results come in the order of the requests.
        let waiting = |answered: &&mut PendingClose| {
            let told = results.iter().map(|closed| &closed.target);
            answered.results.is_none() && told.eq(answered.items.iter().map(|item| &item.target))
        };
        let Some(answered) = self.pending_closes.iter_mut().find(waiting) else {
            return Vec::new();
        };
        answered.results = Some((mark_closed_with_peer(results), newest));
        let answered = answered.clone();
        self.notify_closed(&answered, None);
        vec![Effect::Refresh]
    }

    /// The first table after the results may have been under way before them; the
    /// second is reported.
    pub(super) fn update_pending_closes(&mut self, observation: &Observation) -> Vec<Effect> {
        let (due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pending_closes)
            .into_iter()
            .partition(|answered| answered.is_reportable(observation));
        for answered in due {
            self.notify_closed(&answered, Some(observation));
        }
        let refresh = waiting.iter().any(|answered| answered.results.is_some());
        self.pending_closes = waiting;
        refresh.then_some(Effect::Refresh).into_iter().collect()
    }

    /// Shows the outcome; with a table, as far as that shows it.
    fn notify_closed(&mut self, answered: &PendingClose, table: Option<&Observation>) {
        let Some((results, _)) = &answered.results else {
            return;
        };
        let (done, refused): (Vec<_>, Vec<_>) = answered
            .items
            .iter()
            .zip(results)
            .partition(|(_, closed)| closed.result.is_ok());
        let mut sentences = Vec::new();
        match (&done[..], table) {
            ([], _) => {}
            ([(item, _)], None) => sentences.extend(self.item_message("closing", item)),
            ([(item, _)], Some(table)) => sentences.extend(self.table_messages(item, table)),
            (several, None) => {
                sentences.extend(self.count_message("closing_several", several.len()));
            }
            (several, Some(table)) => {
                let open = |(item, _): &&(&CloseItem, _)| is_still_open(item, table);
                let left = several.iter().filter(open).count();
                sentences.extend(self.count_message("closed_several", several.len() - left));
                if left > 0 {
                    sentences.extend(self.count_message("still_there", left));
                }
            }
        }
        let refused: Vec<(String, CloseRefusal)> = refused
            .into_iter()
            .filter_map(|(item, closed)| {
                let refusal = closed.result.as_ref().err()?;
                Some((item.endpoints.clone(), refusal.clone()))
            })
            .collect();
        sentences.extend(self.not_closed_message(&refused));
        self.notify(self.messages.join_sentences(&sentences));
    }

    /// Returns the state of a closed socket in the table, and the effect on its
    /// owner.
    fn table_messages(&self, item: &CloseItem, table: &Observation) -> Vec<String> {
        let names = match current_row(item, table).map(|row| row.socket.state) {
            None => vec!["closed", item.target.effect_on_owner()],
            Some(State::Unconnected) => vec!["disconnected"],
            Some(_) if has_other_listener(item, table) => vec!["port_shared"],
            Some(State::BoundInactive | State::Closed) => match item.target.effect_on_owner() {
                "owner_listener" => vec!["owner_listener"],
                _ => vec!["bound"],
            },
            Some(_) => return self.count_message("still_there", 1).into_iter().collect(),
        };
        names
            .into_iter()
            .filter_map(|name| self.item_message(name, item))
            .collect()
    }

    /// Returns a message about one socket; none if there is none.
    fn item_message(&self, name: &str, item: &CloseItem) -> Option<String> {
        let sentence = self.messages.closing("outcome", name);
        if sentence.is_empty() {
            return None;
        }
        render(sentence, |place| match place {
            "what" => Some(item.endpoints.clone()),
            "port" => Some(item.target.socket().local.port.to_string()),
            "owner" => Some(item.owner_text(self.messages)),
            _ => None,
        })
    }

    fn count_message(&self, name: &str, count: usize) -> Option<String> {
        let sentence = self.messages.closing("outcome", name);
        render(sentence, |_| Some(count.to_string()))
    }

    /// Returns the message about sockets that were not closed, with the reason;
    /// none if there are none.
    fn not_closed_message(&self, refused: &[(String, CloseRefusal)]) -> Option<String> {
        let (what, refusal) = refused.first()?;
        let name = match refused.len() {
            1 => "not_closed",
            _ => "not_closed_several",
        };
        render(
            self.messages.closing("outcome", name),
            |place| match place {
                "count" => Some(refused.len().to_string()),
                "what" => Some(what.clone()),
                "reason" => Some(close_refusal_text(refusal, self.messages)),
                _ => None,
            },
        )
    }

    fn notify_close_refused(&mut self, refusal: &CloseRefusal) {
        let sentence = self.messages.closing("outcome", "key_off");
        let text = render(sentence, |_| {
            Some(close_refusal_text(refusal, self.messages))
        });
        self.notify(text.unwrap_or_default());
    }

    pub(super) fn notify(&mut self, text: String) {
        self.notice = Some(Notice::new(text, self.observation.time));
    }
}

/// Returns the row of a closed socket, if there is one: a socket bound to a port
/// stays so until its owner closes it.
fn current_row<'t>(item: &CloseItem, table: &'t Observation) -> Option<&'t Row> {
    let key = item.target.socket().key();
    let mut rows = table.rows.iter();
    rows.find(|row| row.phase != Phase::Closed && row.socket.key() == key)
}

/// True if the socket is still open in the table.
fn is_still_open(item: &CloseItem, table: &Observation) -> bool {
    let idle = [State::Unconnected, State::BoundInactive, State::Closed];
    current_row(item, table).is_some_and(|row| !idle.contains(&row.socket.state))
}

/// True if another listener shares the place of a closed one.
fn has_other_listener(item: &CloseItem, table: &Observation) -> bool {
    let closed = item.target.socket();
    let beside = |row: &&Row| {
        let other = &row.socket;
        let place = (other.local, other.namespace) == (closed.local, closed.namespace);
        row.phase != Phase::Closed && other.state == State::Listen && place
    };
    closed.state == State::Listen && table.rows.iter().any(|row| beside(&row))
}
