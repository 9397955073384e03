//! The sentences, urgency and advice that are selected for a socket.

use crate::explain::urgency::Urgency;

/// Names of the selected sentences and of the advice.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::explain) struct Selection {
    pub(in crate::explain) sentences: Vec<&'static str>,
    pub(in crate::explain) urgency: Urgency,
    /// Advice: at least one item, the most useful first.
    pub(in crate::explain) advice: Vec<&'static str>,
    /// The next actor, if the facts give a better one than the state.
    pub(in crate::explain) waits_on: Option<&'static str>,
}

impl Selection {
    pub(super) fn new(next: &'static str) -> Self {
        Self {
            sentences: Vec::new(),
            urgency: Urgency::Normal,
            advice: vec![next],
            waits_on: None,
        }
    }

    /// Replaces the advice by the one for what keeps the program from working.
    pub(super) fn advise_for_obstacle(&mut self, obstacle: Option<&str>) -> &mut Self {
        match obstacle {
            Some("plight_stopped") => self.advise_if(true, &["next_stopped"]),
            Some("plight_traced") => self.advise_if(true, &["next_traced"]),
            Some("plight_uninterruptible") => self.advise_if(true, &["next_uninterruptible"]),
            Some("plight_descriptors") => self.advise_if(true, &["next_descriptors"]),
            _ => self,
        }
    }

    pub(super) fn push(&mut self, name: &'static str) -> &mut Self {
        self.sentences.push(name);
        self
    }

    pub(super) fn push_if(&mut self, condition: bool, name: &'static str) -> &mut Self {
        if condition {
            self.sentences.push(name);
        }
        self
    }

    pub(super) fn waits_on_if(&mut self, condition: bool, who: &'static str) -> &mut Self {
        if condition {
            self.waits_on = Some(who);
        }
        self
    }

    /// Replaces the advice by a better one.
    pub(super) fn advise_if(&mut self, condition: bool, names: &[&'static str]) -> &mut Self {
        if condition {
            self.advice = names.to_vec();
        }
        self
    }

    /// Raises the urgency to at least this.
    pub(super) fn at_least_if(&mut self, condition: bool, urgency: Urgency) -> &mut Self {
        if condition {
            self.urgency = self.urgency.max(urgency);
        }
        self
    }
}
