//! User names through NSS, which may query a directory on the network for a
//! long time: so on a thread of its own, and a table never waits long for it.

use crate::model::owner::User;
use crate::model::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// User names, each requested once.
pub(super) struct UserNames {
    known: Arc<Vec<User>>,
    asked: BTreeSet<u32>,
    worker: Option<(Sender<u32>, Receiver<User>)>,
}

impl UserNames {
    /// `resolve` false keeps numbers as they are.
    pub(super) fn new(resolve: bool) -> Self {
        Self {
            known: Arc::default(),
            asked: BTreeSet::new(),
            worker: resolve.then(start_resolver).flatten(),
        }
    }

    /// Requests the names of these users, waits for missing ones up to a
    /// timeout, and returns all known names, by ascending id.
    pub(super) fn resolve(
        &mut self,
        uids: impl IntoIterator<Item = u32>,
        timeout: Duration,
    ) -> Arc<Vec<User>> {
        let Some((ask, answers)) = &self.worker else {
            return Arc::clone(&self.known);
        };
        for uid in uids {
            if self.asked.insert(uid) {
                // Without a worker left, names stay numbers.
                let _ = ask.send(uid);
            }
        }
        let deadline = Instant::now() + timeout;
        let mut fresh = BTreeMap::new();
        while self.known.len() + fresh.len() < self.asked.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(user) = answers.recv_timeout(left) else {
                break;
            };
            fresh.insert(user.uid, user);
        }
        if !fresh.is_empty() {
            fresh.extend(self.known.iter().map(|user| (user.uid, user.clone())));
            self.known = Arc::new(fresh.into_values().collect());
        }
        Arc::clone(&self.known)
    }
}

/// The thread ends when the requesting side is dropped; one that hangs in NSS
/// is abandoned and ends with the program.
fn start_resolver() -> Option<(Sender<u32>, Receiver<User>)> {
    let (ask, asked) = channel::<u32>();
    let (answer, answers) = channel();
    thread::Builder::new()
        .name("users".to_owned())
        .spawn(move || {
            for uid in asked {
                if answer.send(look_up_user(uid)).is_err() {
                    break;
                }
            }
        })
        .ok()?;
    Some((ask, answers))
}

fn look_up_user(uid: u32) -> User {
    let found = nix::unistd::User::from_uid(uid.into()).ok().flatten();
    User {
        uid,
        name: found.map(|user| Text::new(user.name.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_root_and_remembers() {
        let mut names = UserNames::new(true);
        let users = names.resolve([0, 0, 4_000_000_001], Duration::from_secs(10));
        assert_eq!(users.len(), 2);
        assert_eq!(users[0].name.as_ref().map(Text::as_str), Some("root"));
        assert_eq!(users[1].name, None);
    }

    #[test]
    fn numbers_stay_numbers_when_asked() {
        let mut names = UserNames::new(false);
        assert!(names.resolve([0], Duration::from_secs(10)).is_empty());
    }
}
