//! Closing connections: asks, confirms, closes, and checks in the next tables
//! that they are gone.
//!
//! The command line asks the same question by other means, so that the question
//! itself ([`Closing`]) is independent of a screen.

use super::App;
use super::effect::Effect;
use super::keys::Key;
use super::mode::Mode;
use super::notice::Notice;
use super::tags::Tags;
use crate::explain::catalogue::Catalogue;
use crate::explain::sentence::fill;
use crate::filter::{Side, write_address};
use crate::listing::shell_words;
use crate::model::action::{MOST_TARGETS, Policy};
use crate::model::caution::{Caution, Demand};
use crate::model::closing::{Closable, CloseRefusal, Closed, with_other_ends};
use crate::model::observation::Observation;
use crate::model::row::{Phase, Row};
use crate::model::session::Session;
use crate::model::state::State;
use crate::model::text::Text;
use std::collections::BTreeMap;

/// Maximum number of digits typed; no demanded number is as long.
const LONGEST_NUMBER: usize = 12;

/// The question before connections are closed, frozen when it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// Sockets that would be closed, in the order of the table.
    pub targets: Vec<Doomed>,
    /// Connections that would not, in words, and the reason.
    pub left_out: Vec<(String, CloseRefusal)>,
    /// Number that must be typed, if one key is not enough.
    pub demand: Option<Demand>,
    /// Digits typed so far.
    pub typed: String,
    /// Lines scrolled, while the explanation replaces the question.
    pub help: Option<u16>,
}

/// A socket that is to be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doomed {
    /// Its identity for the kernel.
    pub target: Closable,
    /// Its ends: `192.0.2.10:443 → 198.51.100.7:50122`.
    pub what: String,
    /// Holders by pid and name, smallest pid first.
    pub owners: Vec<(u32, Text)>,
    /// The user of the first of them.
    pub user: Option<Text>,
    /// The unit that opened it, where no process is known to hold it.
    pub opener: Option<Text>,
}

impl Doomed {
    /// The first owner: `nginx (812)`; if unknown, a note that there is one, or
    /// none.
    #[must_use]
    pub fn owner(&self, words: &Catalogue) -> String {
        let name = match (self.owners.first(), self.target.socket().inode) {
            (Some((pid, name)), _) => return format!("{name} ({pid})"),
            (None, Some(_)) if self.opener.is_some() => "hidden_unit",
            (None, Some(_)) => "hidden",
            (None, None) if self.opener.is_some() => "nobody_unit",
            (None, None) => "nobody",
        };
        let unit = || Some(self.opener.as_ref()?.to_string());
        fill(words.closing("dialog", name), |_| unit()).unwrap_or_default()
    }
}

impl Closing {
    /// Builds the question for rows of the table.
    #[must_use]
    pub fn of(rows: &[&Row], observation: &Observation, session: &Session) -> Self {
        let own = observation.namespaces.iter().find(|known| known.own);
        let own = own.map_or(0, |known| known.id);
        let mut closing = Self::default();
        let mut cautions = Vec::new();
        let mut inside: BTreeMap<u32, Option<u32>> = BTreeMap::new();
        for row in rows {
            let what = ends(row, observation);
            let known = observation
                .detail(row)
                .is_some_and(|detail| detail.info.is_subflow);
            let target = Closable::of(row, own);
            let target = if known {
                target.and_then(Closable::of_mptcp)
            } else {
                target
            };
            match target {
                Err(CloseRefusal::OtherNamespace(_)) => {
                    let namespace = row.socket.namespace;
                    let pid = *inside
                        .entry(namespace)
                        .or_insert_with(|| process_in(namespace, observation));
                    let refusal = CloseRefusal::OtherNamespace(pid);
                    closing.left_out.push((what, refusal));
                }
                Err(refusal) => closing.left_out.push((what, refusal)),
                Ok(target) => {
                    cautions.extend(target.caution());
                    let owners = || observation.owners(row).map(|(owner, _)| &**owner);
                    if session.is_carried_by(&row.socket, owners()) {
                        cautions.push(Caution::OwnSession);
                    }
                    let uid = owners().next().and_then(|owner| owner.uid);
                    closing.targets.push(Doomed {
                        target,
                        what,
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
            cautions.push(Caution::Several(count));
        }
        closing.demand = Demand::of(cautions, closing.port());
        closing
    }

    /// Marks paths of MPTCP as such, and excludes its listeners.
    pub fn part_mptcp(&mut self, mut is_mptcp: impl FnMut(&Closable) -> bool) {
        let targets = std::mem::take(&mut self.targets);
        for doomed in targets {
            let target = if is_mptcp(&doomed.target) {
                doomed.target.of_mptcp()
            } else {
                Ok(doomed.target)
            };
            match target {
                Ok(target) => self.targets.push(Doomed { target, ..doomed }),
                Err(refusal) => self.left_out.push((doomed.what, refusal)),
            }
        }
        let before = self.demand.take();
        let before = before.iter().flat_map(Demand::cautions);
        // The excluded sockets carry no login: they listen.
        let mut cautions: Vec<Caution> = before
            .copied()
            .filter(|caution| *caution == Caution::OwnSession)
            .collect();
        cautions.extend(
            self.targets
                .iter()
                .filter_map(|doomed| doomed.target.caution()),
        );
        if let [_, _, ..] = self.targets[..] {
            let count = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
            cautions.push(Caution::Several(count));
        }
        self.demand = Demand::of(cautions, self.port());
    }

    /// The local port of the first target: the number to type for one.
    #[must_use]
    pub fn port(&self) -> u32 {
        let first = self.targets.first();
        first.map_or(0, |doomed| doomed.target.socket().local.port.into())
    }

    /// True if it has been confirmed.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        let demand = self.demand.as_ref();
        demand.is_none_or(|demand| demand.is_met_by(&self.typed))
    }
}

/// Returns the reason why a socket was not closed, in words.
#[must_use]
pub fn reason(refusal: &CloseRefusal, words: &Catalogue) -> String {
    let reason = words.closing("refused", refusal.key());
    match refusal {
        CloseRefusal::Failed(message) => words.sentences(&[reason, &format!("{message}.")]),
        CloseRefusal::OtherNamespace(Some(pid)) => {
            fill(reason, |_| Some(pid.to_string())).unwrap_or_default()
        }
        _ => reason.to_owned(),
    }
}

/// A request to the kernel, and its results.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    asked: Vec<Doomed>,
    /// The results, once received, and the number of the latest table at that
    /// time.
    results: Option<(Vec<Closed>, u64)>,
}

impl Answered {
    /// True if a table shows the outcome.
    fn is_due(&self, observation: &Observation) -> bool {
        let then = self.results.as_ref().map(|(_, then)| *then);
        then.is_some_and(|then| observation.number >= then + 2)
    }
}

/// A process in a network namespace: the first that has a socket there.
fn process_in(namespace: u32, observation: &Observation) -> Option<u32> {
    let rows = observation.rows.iter();
    let mut inside = rows.filter(|row| row.socket.namespace == namespace);
    inside.find_map(|row| Some(observation.first_owner(row)?.pid))
}

/// Formats both ends of a row, or the end of a listener.
fn ends(row: &Row, observation: &Observation) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_address(&mut text, Side::Local, row, observation);
    if row.socket.peer().is_some() {
        text.push_str(" → ");
        let _ = write_address(&mut text, Side::Remote, row, observation);
    }
    text
}

impl App {
    /// True if the close command has a target.
    pub(super) fn has_closable(&self) -> bool {
        let closable = |row: &Row| Closable::of(row, 0).is_ok();
        self.tags.count() > 0 || self.selected().is_some_and(closable)
    }

    pub(super) fn close_connection(&mut self) -> Vec<Effect> {
        if self.policy == Policy::Look {
            self.refuse_to_close(&CloseRefusal::Disabled);
            return Vec::new();
        }
        if let Some(refusal) = self.close_refusal().cloned() {
            self.refuse_to_close(&refusal);
            return Vec::new();
        }
        if self.tags.have_lapsed() {
            self.tags.clear();
            self.tell(self.words.closing("tags", "lapsed").to_owned());
            return Vec::new();
        }
        let rows = self.rows_to_act_on();
        if rows.is_empty() {
            return self.nothing_selected();
        }
        let closing = Closing::of(&rows, &self.observation, &self.session);
        let count = closing.targets.len();
        if count > MOST_TARGETS {
            let sentence = self.words.closing("refused", "too_many");
            let text = fill(sentence, |place| match place {
                "count" => Some(count.to_string()),
                "filter" => Some(shell_words(&self.filter, &self.quick)),
                _ => Some(MOST_TARGETS.to_string()),
            });
            self.tell(text.unwrap_or_default());
        } else if count == 0 {
            let told = self.not_closed(&closing.left_out);
            self.tell(told.unwrap_or_default());
        } else {
            self.consent.forget();
            self.mode = Mode::Close(Box::new(closing));
        }
        Vec::new()
    }

    /// Handles a key while a number is being typed.
    pub(super) fn close_key(&mut self, key: Key) -> Vec<Effect> {
        let Mode::Close(closing) = &mut self.mode else {
            return Vec::new();
        };
        match key {
            Key::Ctrl('c') => return vec![Effect::Quit],
            Key::Ctrl('z') => return vec![Effect::Suspend],
            Key::Esc | Key::Char('n' | 'q') => self.leave_all(),
            Key::Char('?' | 'h') | Key::F(1) => return self.explain_dialog(Some(0)),
            Key::Enter if closing.is_answered() => return self.confirm_close(),
            Key::Enter | Key::Ctrl('u') => closing.typed.clear(),
            Key::Backspace | Key::Ctrl('h') => drop(closing.typed.pop()),
            Key::Char(digit) if digit.is_ascii_digit() && closing.typed.len() < LONGEST_NUMBER => {
                closing.typed.push(digit);
            }
            _ => self.consent.stray(self.now),
        }
        Vec::new()
    }

    pub(super) fn confirm_close(&mut self) -> Vec<Effect> {
        let Mode::Close(closing) = &self.mode else {
            return Vec::new();
        };
        if !closing.is_answered() || !self.consent.give(self.now) {
            return Vec::new();
        }
        let asked = closing.targets.clone();
        let targets = asked.iter().map(|doomed| doomed.target).collect();
        self.leave_all();
        // Tags are cleared once the action has been sent.
        self.tags = Tags::default();
        self.answered.push(Answered {
            asked,
            results: None,
        });
        vec![Effect::Close(targets)]
    }

    /// Handles the kernel's results: reported at once, and again as soon as the
    /// next tables show the outcome.
    pub(super) fn closed(&mut self, results: Vec<Closed>) -> Vec<Effect> {
        let newest = self.newest;
        // Results come in the order of the requests.
        let waiting = |answered: &&mut Answered| {
            let told = results.iter().map(|closed| &closed.target);
            answered.results.is_none()
                && told.eq(answered.asked.iter().map(|doomed| &doomed.target))
        };
        let Some(answered) = self.answered.iter_mut().find(waiting) else {
            return Vec::new();
        };
        answered.results = Some((with_other_ends(results), newest));
        let answered = answered.clone();
        self.tell_closed(&answered, None);
        vec![Effect::Refresh]
    }

    /// The first table after the results may have been under way before them; the
    /// second is reported.
    pub(super) fn follow_up_closing(&mut self, observation: &Observation) -> Vec<Effect> {
        let (due, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.answered)
            .into_iter()
            .partition(|answered| answered.is_due(observation));
        for answered in due {
            self.tell_closed(&answered, Some(observation));
        }
        let refresh = waiting.iter().any(|answered| answered.results.is_some());
        self.answered = waiting;
        refresh.then_some(Effect::Refresh).into_iter().collect()
    }

    /// Shows the outcome; with a table, as far as that shows it.
    fn tell_closed(&mut self, answered: &Answered, table: Option<&Observation>) {
        let Some((results, _)) = &answered.results else {
            return;
        };
        let (done, refused): (Vec<_>, Vec<_>) = answered
            .asked
            .iter()
            .zip(results)
            .partition(|(_, closed)| closed.result.is_ok());
        let mut sentences = Vec::new();
        match (&done[..], table) {
            ([], _) => {}
            ([(doomed, _)], None) => sentences.extend(self.about("closing", doomed)),
            ([(doomed, _)], Some(table)) => sentences.extend(self.seen_of(doomed, table)),
            (several, None) => sentences.extend(self.counted("closing_several", several.len())),
            (several, Some(table)) => {
                let open = |(doomed, _): &&(&Doomed, _)| is_open(doomed, table);
                let left = several.iter().filter(open).count();
                sentences.extend(self.counted("closed_several", several.len() - left));
                if left > 0 {
                    sentences.extend(self.counted("still_there", left));
                }
            }
        }
        let refused: Vec<(String, CloseRefusal)> = refused
            .into_iter()
            .filter_map(|(doomed, closed)| {
                let refusal = closed.result.as_ref().err()?;
                Some((doomed.what.clone(), refusal.clone()))
            })
            .collect();
        sentences.extend(self.not_closed(&refused));
        self.tell(self.words.sentences(&sentences));
    }

    /// Returns the state of a closed socket in the table, and the effect on its
    /// owner.
    fn seen_of(&self, doomed: &Doomed, table: &Observation) -> Vec<String> {
        let names = match row_of(doomed, table).map(|row| row.socket.state) {
            None => vec!["closed", doomed.target.owner_sees()],
            Some(State::Unconnected) => vec!["disconnected"],
            Some(_) if serves_on(doomed, table) => vec!["port_shared"],
            Some(State::BoundInactive | State::Closed) => match doomed.target.owner_sees() {
                "owner_listener" => vec!["owner_listener"],
                _ => vec!["bound"],
            },
            Some(_) => return self.counted("still_there", 1).into_iter().collect(),
        };
        names
            .into_iter()
            .filter_map(|name| self.about(name, doomed))
            .collect()
    }

    /// Returns a message about one socket; none if there is none.
    fn about(&self, name: &str, doomed: &Doomed) -> Option<String> {
        let sentence = self.words.closing("outcome", name);
        if sentence.is_empty() {
            return None;
        }
        fill(sentence, |place| match place {
            "what" => Some(doomed.what.clone()),
            "port" => Some(doomed.target.socket().local.port.to_string()),
            "owner" => Some(doomed.owner(self.words)),
            _ => None,
        })
    }

    fn counted(&self, name: &str, count: usize) -> Option<String> {
        let sentence = self.words.closing("outcome", name);
        fill(sentence, |_| Some(count.to_string()))
    }

    /// Returns the message about sockets that were not closed, with the reason;
    /// none if there are none.
    fn not_closed(&self, refused: &[(String, CloseRefusal)]) -> Option<String> {
        let (what, refusal) = refused.first()?;
        let name = match refused.len() {
            1 => "not_closed",
            _ => "not_closed_several",
        };
        fill(self.words.closing("outcome", name), |place| match place {
            "count" => Some(refused.len().to_string()),
            "what" => Some(what.clone()),
            "reason" => Some(reason(refusal, self.words)),
            _ => None,
        })
    }

    fn refuse_to_close(&mut self, refusal: &CloseRefusal) {
        let sentence = self.words.closing("outcome", "key_off");
        let text = fill(sentence, |_| Some(reason(refusal, self.words)));
        self.tell(text.unwrap_or_default());
    }

    pub(super) fn tell(&mut self, text: String) {
        self.notice = Some(Notice::new(text, self.observation.time));
    }
}

/// Returns the row of a closed socket, if there is one: a socket bound to a port
/// stays so until its owner closes it.
fn row_of<'t>(doomed: &Doomed, table: &'t Observation) -> Option<&'t Row> {
    let key = doomed.target.socket().key();
    let mut rows = table.rows.iter();
    rows.find(|row| row.phase != Phase::Closed && row.socket.key() == key)
}

/// True if the socket is still open in the table.
fn is_open(doomed: &Doomed, table: &Observation) -> bool {
    let idle = [State::Unconnected, State::BoundInactive, State::Closed];
    row_of(doomed, table).is_some_and(|row| !idle.contains(&row.socket.state))
}

/// True if another listener shares the place of a closed one.
fn serves_on(doomed: &Doomed, table: &Observation) -> bool {
    let closed = doomed.target.socket();
    let beside = |row: &&Row| {
        let other = &row.socket;
        let place = (other.local, other.namespace) == (closed.local, closed.namespace);
        row.phase != Phase::Closed && other.state == State::Listen && place
    };
    closed.state == State::Listen && table.rows.iter().any(|row| beside(&row))
}
