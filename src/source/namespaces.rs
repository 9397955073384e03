//! The other network namespaces of this machine, and their tables.
//!
//! A namespace is found by a process in it or by a name under `/run/netns`
//! (ip-netns(8)). Its table is read once, whatever the number of its processes,
//! by a thread that enters it (setns(2)) and ends afterwards, so that nothing
//! of ours keeps it alive. If entering is not permitted, the text tables of a
//! process in it are read instead.

pub(super) mod entering;
mod turns;

use super::addresses::{self, Addresses, Bound};
use super::interfaces::{self, BoundTo};
use super::proc_tables::ProcTables;
use super::sock_diag::SockDiag;
use super::{SocketSource, SocketTable, SourceChoice, SourceError, cgroup, chosen};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::namespace::{Entrance, Namespace};
use crate::model::network::Network;
use crate::model::socket::Socket;
use crate::model::text::Text;
use crate::model::unit::UnitKind;
use foldhash::HashMap;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use turns::{Class, Turns};

/// Directory of named namespaces (ip-netns(8)).
const NAMED: &str = "/run/netns";
/// Number of processes of a namespace whose links are tried.
const TRIED: usize = 4;
/// Longest time that a table spends on other namespaces, if further tables
/// follow.
const LONGEST: Duration = Duration::from_secs(3);
/// Fewer namespaces than this are always read in that time, with a hundredth of a second
/// and more for each.
const FEW: usize = 128;
/// Period, in tables, after which each process is queried again: a process may
/// change its namespace without any visible sign.
const REFRESHED_EVERY: u32 = 16;

/// The number in `net:[4026531840]`, the link of a process or thread below
/// `root`; 0 if it can't be read.
pub(super) fn own(root: &Path) -> u32 {
    number(&root.join("thread-self/ns/net")).unwrap_or(0)
}

fn number(link: &Path) -> io::Result<u32> {
    let target = fs::read_link(link)?;
    target
        .to_str()
        .and_then(|target| {
            let digits = target.strip_prefix("net:[")?.strip_suffix(']')?;
            digits.parse().ok()
        })
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Finds and reads the namespaces that this program is not in.
pub(super) struct Neighbours {
    root: PathBuf,
    own: u32,
    choice: SourceChoice,
    members: HashMap<u32, Member>,
    round: u32,
    /// True if their tables include TCP counters.
    flows: bool,
    /// Those of the last tables.
    last: Vec<Neighbour>,
    /// True if a table is bounded in time, and the rest read for later ones.
    in_turns: bool,
    turns: Turns,
    /// Last contents of each, for the tables in which it is not read; kept only if
    /// there are very many namespaces.
    earlier: HashMap<u32, Visited>,
}

/// Known facts about a process.
#[derive(Clone, Copy)]
struct Member {
    /// Identity that distinguishes a reused pid.
    identity: u64,
    /// None if unreadable.
    namespace: Option<u32>,
}

/// A namespace, and the ways into it.
struct Neighbour {
    id: u32,
    name: Option<Text>,
    entrance: Option<Entrance>,
    /// Links to it, its name first.
    doors: Vec<PathBuf>,
    /// Processes in it, the smallest pid first; no more than are worth trying.
    members: Vec<u32>,
}

/// The tables of all other namespaces.
#[derive(Default)]
pub(super) struct Found {
    pub(super) table: SocketTable,
    pub(super) bound_to: BoundTo,
    pub(super) networks: Vec<Network>,
    pub(super) namespaces: Vec<Namespace>,
}

/// Contents of one namespace.
#[derive(Clone)]
struct Visited {
    table: SocketTable,
    bound_to: BoundTo,
    network: Option<Network>,
}

impl Neighbours {
    /// `own` is the namespace this program is in. Tables are bounded in time if they are
    /// read in turns.
    pub(super) fn new(root: &Path, own: u32, choice: SourceChoice, in_turns: bool) -> Self {
        Self {
            root: root.to_path_buf(),
            own,
            choice,
            members: HashMap::default(),
            round: 0,
            flows: false,
            last: Vec::new(),
            in_turns,
            turns: Turns::default(),
            earlier: HashMap::default(),
        }
    }

    /// Sets whether tables include TCP counters.
    pub(super) fn include_flows(&mut self, wanted: bool) {
        self.flows = wanted;
    }

    /// Reads the tables of all namespaces that these processes, given by pid
    /// and identity, are in, or that have a name.
    pub(super) fn read(&mut self, processes: impl Iterator<Item = (u32, u64)>) -> Found {
        self.meet(processes);
        let neighbours = self.neighbours();
        let mut found = Found::default();
        self.tell_unknown(&mut found.table.gaps);
        let many = self.in_turns && neighbours.len() > FEW;
        let order = if many {
            let classes = neighbours.iter().map(|each| (each.id, self.class(each)));
            self.turns.order(&classes.collect::<Vec<_>>())
        } else {
            (0..neighbours.len()).collect()
        };
        let mut visits = Vec::new();
        let read = thread::scope(|scope| {
            thread::Builder::new()
                .spawn_scoped(scope, || self.visit(&neighbours, &order, &mut visits))
                .map(thread::ScopedJoinHandle::join)
        });
        if let Err(error) = read {
            found.table.gaps.push(unreadable(neighbours.len(), &error));
        }
        if many {
            for (place, _) in &visits {
                self.turns.note(neighbours[*place].id);
            }
        }
        self.gather(&neighbours, visits, many, &mut found);
        self.last = neighbours;
        found
    }

    /// Merges the tables, by ascending namespace id: namespaces not read this time keep
    /// their last contents.
    fn gather(
        &mut self,
        neighbours: &[Neighbour],
        visits: Vec<(usize, Result<Visited, SourceError>)>,
        many: bool,
        found: &mut Found,
    ) {
        let mut unread = 0;
        let mut before = std::mem::take(&mut self.earlier);
        let mut visited: Vec<Option<Result<Visited, SourceError>>> = Vec::new();
        visited.resize_with(neighbours.len(), || None);
        for (place, result) in visits {
            visited[place] = Some(result);
        }
        for (neighbour, result) in neighbours.iter().zip(visited) {
            let earlier = before.remove(&neighbour.id);
            let contents = match result {
                Some(Ok(contents)) => contents,
                // It has ended meanwhile.
                Some(Err(error)) if error.io().kind() == io::ErrorKind::NotFound => continue,
                Some(Err(error)) => {
                    found.table.add_gap(unreadable(1, error.io()));
                    continue;
                }
                None => {
                    unread += 1;
                    let Some(earlier) = earlier else { continue };
                    earlier
                }
            };
            if many {
                self.earlier.insert(neighbour.id, contents.clone());
            }
            found.add(neighbour, contents);
        }
        if unread > 0 {
            // Any user can create namespaces, and very many of them.
            found.table.add_gap(gap(unread, GapReason::TooMuch));
        }
    }

    /// Class of a namespace: this machine's own, or created by a user.
    fn class(&self, neighbour: &Neighbour) -> Class {
        let user = |pid: &str| fs::read_link(self.root.join(pid).join("ns/user")).ok();
        let first = neighbour.members.first().map(u32::to_string);
        let named = neighbour
            .doors
            .first()
            .is_some_and(|door| door.starts_with(NAMED));
        let theirs = first.and_then(|pid| user(&pid));
        if named || (theirs.is_some() && theirs == user("self")) {
            Class::Own
        } else {
            Class::Foreign
        }
    }

    /// Queries single sockets in their namespaces. Returns nothing for a
    /// namespace that cannot be entered.
    pub(super) fn ask<T: Send>(
        &self,
        sockets: &[Socket],
        question: impl Fn(&mut SockDiag, &[Socket]) -> Vec<T> + Sync,
    ) -> Vec<T> {
        let meant = |there: &&Neighbour| sockets.iter().any(|one| one.namespace == there.id);
        let theirs: Vec<&Neighbour> = self.last.iter().filter(meant).collect();
        let mut answers = Vec::new();
        if theirs.is_empty() {
            return answers;
        }
        thread::scope(|scope| {
            // Without a thread there are no answers.
            let _ = thread::Builder::new().spawn_scoped(scope, || {
                for there in theirs {
                    let asked = enter(there)
                        .ok()
                        .and_then(|()| SockDiag::open(there.id).ok());
                    answers.extend(
                        asked
                            .map(|mut exact| question(&mut exact, sockets))
                            .into_iter()
                            .flatten(),
                    );
                }
            });
        });
        answers
    }

    /// Reads the namespace of each process that is new or due.
    fn meet(&mut self, processes: impl Iterator<Item = (u32, u64)>) {
        self.round = self.round.wrapping_add(1);
        let before = std::mem::take(&mut self.members);
        for (pid, identity) in processes {
            let due = self.round.wrapping_add(pid).is_multiple_of(REFRESHED_EVERY);
            let known = before
                .get(&pid)
                .filter(|known| known.identity == identity && !due);
            let member = match known {
                Some(known) => Some(*known),
                None => match number(&self.root.join(format!("{pid}/ns/net"))) {
                    Ok(namespace) => Some(Some(namespace)),
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some(None),
                    // It has ended.
                    Err(_) => None,
                }
                .map(|namespace| Member {
                    identity,
                    namespace,
                }),
            };
            self.members.extend(member.map(|member| (pid, member)));
        }
    }

    /// Every namespace but our own, by ascending number.
    fn neighbours(&self) -> Vec<Neighbour> {
        let mut inhabited: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (pid, member) in &self.members {
            if let Some(namespace) = member.namespace {
                let pids = inhabited.entry(namespace).or_default();
                pids.insert(*pid);
                if pids.len() > TRIED {
                    pids.pop_last();
                }
            }
        }
        let mut named = named();
        let ids: BTreeSet<u32> = inhabited.keys().chain(named.keys()).copied().collect();
        ids.into_iter()
            .filter(|id| *id != self.own)
            .map(|id| {
                let members: Vec<u32> = inhabited.remove(&id).into_iter().flatten().collect();
                let path = named.remove(&id);
                let name = path
                    .as_ref()
                    .and_then(|path| path.file_name())
                    .map(|name| Text::new(name.as_encoded_bytes()));
                let links = members
                    .iter()
                    .map(|pid| self.root.join(format!("{pid}/ns/net")));
                let entrance = name.as_ref().and_then(Entrance::named);
                let first = members.first().copied();
                Neighbour {
                    id,
                    entrance: entrance.or(first.map(Entrance::Process)),
                    name: name.or_else(|| self.called_after(*members.first()?)),
                    doors: path.into_iter().chain(links).collect(),
                    members,
                }
            })
            .collect()
    }

    /// Derives a name for an unnamed namespace: from the unit of a process in
    /// it, else from the process.
    fn called_after(&self, pid: u32) -> Option<Text> {
        let folder = self.root.join(pid.to_string());
        let unit = fs::read(folder.join("cgroup"))
            .ok()
            .and_then(|content| cgroup::unit(&content))
            // Others are too common, or too long, to be useful as a name.
            .filter(|unit| matches!(unit.kind, UnitKind::Container | UnitKind::Service));
        unit.map(|unit| unit.text().clone()).or_else(|| {
            let mut name = fs::read(folder.join("comm")).ok()?;
            name.truncate(name.trim_ascii_end().len());
            name.extend_from_slice(format!(":{pid}").as_bytes());
            Some(Text::new(&name))
        })
    }

    /// Counts the processes whose namespace is unreadable.
    fn tell_unknown(&self, gaps: &mut Vec<Gap>) {
        let unknown = || {
            let members = self.members.iter();
            members.filter(|(_, member)| member.namespace.is_none())
        };
        let count = unknown().count();
        // Process 1 is mostly in this program's namespace, and has a gap of its
        // own.
        let others = unknown().any(|(pid, _)| *pid != 1);
        if others {
            gaps.push(Gap {
                kind: GapKind::NamespacesUnknown,
                count: u64::try_from(count).unwrap_or(u64::MAX),
                reason: GapReason::Permission,
            });
        }
    }

    /// Reads the namespaces in turn; runs on a thread that ends afterwards.
    fn visit(
        &self,
        neighbours: &[Neighbour],
        order: &[usize],
        visits: &mut Vec<(usize, Result<Visited, SourceError>)>,
    ) {
        let begun = Instant::now();
        for place in order {
            if self.in_turns && begun.elapsed() > LONGEST {
                break;
            }
            visits.push((*place, self.read_one(&neighbours[*place])));
        }
    }

    fn read_one(&self, neighbour: &Neighbour) -> Result<Visited, SourceError> {
        let id = neighbour.id;
        match enter(neighbour) {
            Ok(()) => {
                let mut standing = Vec::new();
                let root = self.root.join("thread-self");
                let mut source = chosen::open(self.choice, &root, id, &mut standing)?;
                source.include_flows(self.flows);
                let mut table = source.read(Vec::new())?;
                table.gaps.append(&mut standing);
                let network = Addresses::default().read(Bound::of(&table, id));
                Ok(Visited {
                    bound_to: interfaces::of(&table.sockets, id),
                    network: addresses::or_gap(network, &mut table.gaps),
                    table,
                })
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let refused = SourceError::new("enter", neighbour.way(), error);
                // A member may have ended; another may still be readable.
                let read = neighbour.members.iter().find_map(|pid| {
                    let folder = self.root.join(pid.to_string());
                    ProcTables::new(folder, id).read(Vec::new()).ok()
                });
                read.map(|table| Visited {
                    table,
                    bound_to: BoundTo::default(),
                    network: None,
                })
                .ok_or(refused)
            }
            Err(error) => Err(SourceError::new("enter", neighbour.way(), error)),
        }
    }
}

impl Found {
    fn add(&mut self, neighbour: &Neighbour, contents: Visited) {
        self.table.append(contents.table);
        self.bound_to
            .interfaces
            .extend(contents.bound_to.interfaces);
        self.bound_to.gone.extend(contents.bound_to.gone);
        self.networks.extend(contents.network);
        self.namespaces.push(Namespace {
            id: neighbour.id,
            name: neighbour.name.clone(),
            own: false,
            entrance: neighbour.entrance.clone(),
        });
    }
}

impl Neighbour {
    fn way(&self) -> PathBuf {
        self.doors.first().cloned().unwrap_or_default()
    }
}

/// Moves the calling thread into a namespace, by the first link that still
/// refers to it: a process may have moved or ended.
fn enter(neighbour: &Neighbour) -> io::Result<()> {
    let mut last = io::ErrorKind::NotFound.into();
    for path in &neighbour.doors {
        match open_door(path, neighbour.id) {
            Ok(door) => {
                move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))?;
                return Ok(());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn open_door(path: &Path, id: u32) -> io::Result<File> {
    let door = File::open(path)?;
    if door.metadata()?.ino() == u64::from(id) {
        Ok(door)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn unreadable(count: usize, error: &io::Error) -> Gap {
    gap(count, GapReason::of(error))
}

fn gap(count: usize, reason: GapReason) -> Gap {
    Gap {
        kind: GapKind::NamespacesUnreadable,
        count: u64::try_from(count).unwrap_or(u64::MAX),
        reason,
    }
}

/// Namespaces that have a name, with its path.
fn named() -> BTreeMap<u32, PathBuf> {
    let Ok(entries) = fs::read_dir(NAMED) else {
        return BTreeMap::new();
    };
    // A name of a removed namespace is an ordinary file.
    let Ok(device) = fs::metadata("/proc/self/ns/net").map(|own| own.dev()) else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let found = fs::metadata(entry.path()).ok()?;
            let number = u32::try_from(found.ino()).ok()?;
            (found.dev() == device).then(|| (number, entry.path()))
        })
        .collect()
}
