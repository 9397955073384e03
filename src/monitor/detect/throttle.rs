//! A throttle that only measures: the excess of a process over the rate at
//! which programs meet new hosts.
//!
//! After Williamson's virus throttle (2002): each first contact joins a queue
//! from which one leaves per second. Each port has its own queue, because
//! peer-to-peer programs meet many hosts, but on many ports.

use crate::model::time::Timestamp;
use std::collections::BTreeMap;

/// One contact in the units of a queue: one second, in hundredths like
/// [`Timestamp`].
const CONTACT_CS: u32 = 100;

/// The queues of one process, by port.
#[derive(Clone, Debug, Default)]
pub(super) struct Throttle {
    queues: BTreeMap<u16, ThrottleQueue>,
}

#[derive(Clone, Copy, Debug)]
struct ThrottleQueue {
    length: u32,
    at: Timestamp,
}

impl ThrottleQueue {
    fn length(self, now: Timestamp) -> u32 {
        self.length.saturating_sub(now.0.saturating_sub(self.at.0))
    }
}

impl Throttle {
    /// Adds a first contact on a port.
    pub(super) fn add_contact(&mut self, port: u16, now: Timestamp) {
        let empty = ThrottleQueue { length: 0, at: now };
        let queue = self.queues.entry(port).or_insert(empty);
        queue.length = queue.length(now).saturating_add(CONTACT_CS);
        queue.at = now;
    }

    /// Forgets empty queues, and returns the length of the longest of the
    /// others, in contacts.
    pub(super) fn longest_queue(&mut self, now: Timestamp) -> u32 {
        self.queues.retain(|_, queue| queue.length(now) > 0);
        let lengths = self.queues.values().map(|queue| queue.length(now));
        lengths.max().unwrap_or_default() / CONTACT_CS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leaves_per_second() {
        let mut throttle = Throttle::default();
        for _ in 0..10 {
            throttle.add_contact(445, Timestamp(0));
        }
        assert_eq!(throttle.longest_queue(Timestamp(0)), 10);
        assert_eq!(throttle.longest_queue(Timestamp(400)), 6);
        assert_eq!(throttle.longest_queue(Timestamp(2000)), 0);
        assert!(throttle.queues.is_empty());
    }

    #[test]
    fn ports_do_not_add_up() {
        let mut throttle = Throttle::default();
        for port in 0..500 {
            throttle.add_contact(port, Timestamp(0));
        }
        assert_eq!(throttle.longest_queue(Timestamp(0)), 1);
    }
}
