//! The other network namespaces of this machine, and their tables.
//!
//! A namespace is found by a process in it or by a name under `/run/netns`
//! (ip-netns(8)). Its table is read once, whatever the number of its processes,
//! by a thread that enters it (setns(2)) and ends afterwards, so that nothing
//! of ours keeps it alive. If entering is not permitted, the text tables of a
//! process in it are read instead.

pub(super) mod entering;
mod rotation;

use super::addresses::{self, AddressReader, BoundSockets};
use super::interfaces::{self, BoundInterfaces};
use super::proc_tables::ProcTables;
use super::sock_diag::SockDiag;
use super::{SocketSource, SocketTable, SourceChoice, SourceError, cgroup, socket_source};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::namespace::{Namespace, NamespaceEntry};
use crate::model::namespace_addresses::NamespaceAddresses;
use crate::model::socket::Socket;
use crate::model::text::Text;
use crate::model::unit::UnitKind;
use foldhash::HashMap;
use rotation::{NamespaceClass, ReadRotation};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Directory of named namespaces (ip-netns(8)).
const NETNS_DIR: &str = "/run/netns";
/// Number of processes of a namespace whose links are tried.
const MAX_MEMBERS: usize = 4;
/// Longest time that a table spends on other namespaces, if further tables
/// follow.
const MAX_READ_TIME: Duration = Duration::from_secs(3);
/// Fewer namespaces than this are always read in that time, with a hundredth of a second
/// and more for each.
const MAX_READ_AT_ONCE: usize = 128;
/// Period, in tables, after which each process is queried again: a process may
/// change its namespace without any visible sign.
const REFRESH_PERIOD: u32 = 16;

/// The number in `net:[4026531840]`, the link of a process or thread below
/// `root`; 0 if it can't be read.
pub(super) fn own_namespace(root: &Path) -> u32 {
    namespace_id(&root.join("thread-self/ns/net")).unwrap_or(0)
}

fn namespace_id(link: &Path) -> io::Result<u32> {
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
pub(super) struct OtherNamespaces {
    root: PathBuf,
    own_id: u32,
    choice: SourceChoice,
    members: HashMap<u32, NamespaceMember>,
    round: u32,
    /// True if their tables include TCP counters.
    with_counters: bool,
    /// Those of the last tables.
    last_listed: Vec<RemoteNamespace>,
    /// True if a table is bounded in time, and the rest read for later ones.
    is_bounded: bool,
    rotation: ReadRotation,
    /// Last contents of each, for the tables in which it is not read; kept only if
    /// there are very many namespaces.
    cached: HashMap<u32, NamespaceContents>,
}

/// Known facts about a process.
#[derive(Clone, Copy)]
struct NamespaceMember {
    /// Identity that distinguishes a reused pid.
    identity: u64,
    /// None if unreadable.
    namespace: Option<u32>,
}

/// A namespace, and the ways into it.
struct RemoteNamespace {
    id: u32,
    name: Option<Text>,
    entrance: Option<NamespaceEntry>,
    /// Links to it, its name first.
    ns_links: Vec<PathBuf>,
    /// Processes in it, the smallest pid first; no more than are worth trying.
    members: Vec<u32>,
}

/// The tables of all other namespaces.
#[derive(Default)]
pub(super) struct NamespaceTables {
    pub(super) table: SocketTable,
    pub(super) interfaces: BoundInterfaces,
    pub(super) networks: Vec<NamespaceAddresses>,
    pub(super) namespaces: Vec<Namespace>,
}

/// Contents of one namespace.
#[derive(Clone)]
struct NamespaceContents {
    table: SocketTable,
    interfaces: BoundInterfaces,
    network: Option<NamespaceAddresses>,
}

impl OtherNamespaces {
    /// `own_namespace` is the namespace this program is in. Tables are bounded in time if they are
    /// read in turns.
    pub(super) fn new(root: &Path, own_id: u32, choice: SourceChoice, is_bounded: bool) -> Self {
        Self {
            root: root.to_path_buf(),
            own_id,
            choice,
            members: HashMap::default(),
            round: 0,
            with_counters: false,
            last_listed: Vec::new(),
            is_bounded,
            rotation: ReadRotation::default(),
            cached: HashMap::default(),
        }
    }

    /// Sets whether tables include TCP counters.
    pub(super) fn include_tcp_counters(&mut self, wanted: bool) {
        self.with_counters = wanted;
    }

    /// Reads the tables of all namespaces that these processes, given by pid
    /// and identity, are in, or that have a name.
    pub(super) fn read(&mut self, processes: impl Iterator<Item = (u32, u64)>) -> NamespaceTables {
        self.update_members(processes);
        let neighbours = self.list();
        let mut found = NamespaceTables::default();
        self.count_unknown(&mut found.table.gaps);
        let many = self.is_bounded && neighbours.len() > MAX_READ_AT_ONCE;
        let order = if many {
            let classes = neighbours.iter().map(|each| (each.id, self.classify(each)));
            self.rotation.order(&classes.collect::<Vec<_>>())
        } else {
            (0..neighbours.len()).collect()
        };
        let mut visits = Vec::new();
        let read = thread::scope(|scope| {
            thread::Builder::new()
                .spawn_scoped(scope, || {
                    self.read_in_order(&neighbours, &order, &mut visits);
                })
                .map(thread::ScopedJoinHandle::join)
        });
        if let Err(error) = read {
            found
                .table
                .gaps
                .push(unreadable_gap(neighbours.len(), &error));
        }
        if many {
            for (place, _) in &visits {
                self.rotation.mark_read(neighbours[*place].id);
            }
        }
        self.merge(&neighbours, visits, many, &mut found);
        self.last_listed = neighbours;
        found
    }

    /// Merges the tables, by ascending namespace id: namespaces not read this time keep
    /// their last contents.
    fn merge(
        &mut self,
        neighbours: &[RemoteNamespace],
        visits: Vec<(usize, Result<NamespaceContents, SourceError>)>,
        many: bool,
        found: &mut NamespaceTables,
    ) {
        let mut unread = 0;
        let mut before = std::mem::take(&mut self.cached);
        let mut visited: Vec<Option<Result<NamespaceContents, SourceError>>> = Vec::new();
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
                    found.table.add_gap(unreadable_gap(1, error.io()));
                    continue;
                }
                None => {
                    unread += 1;
                    let Some(earlier) = earlier else { continue };
                    earlier
                }
            };
            if many {
                self.cached.insert(neighbour.id, contents.clone());
            }
            found.add(neighbour, contents);
        }
        if unread > 0 {
            // Any user can create namespaces, and very many of them.
            found
                .table
                .add_gap(namespaces_gap(unread, GapReason::BudgetExceeded));
        }
    }

    /// Class of a namespace: this machine's own, or created by a user.
    fn classify(&self, neighbour: &RemoteNamespace) -> NamespaceClass {
        let user = |pid: &str| fs::read_link(self.root.join(pid).join("ns/user")).ok();
        let first = neighbour.members.first().map(u32::to_string);
        let named = neighbour
            .ns_links
            .first()
            .is_some_and(|door| door.starts_with(NETNS_DIR));
        let theirs = first.and_then(|pid| user(&pid));
        if named || (theirs.is_some() && theirs == user("self")) {
            NamespaceClass::Own
        } else {
            NamespaceClass::Foreign
        }
    }

    /// Queries single sockets in their namespaces. Returns nothing for a
    /// namespace that cannot be entered.
    pub(super) fn query<T: Send>(
        &self,
        sockets: &[Socket],
        question: impl Fn(&mut SockDiag, &[Socket]) -> Vec<T> + Sync,
    ) -> Vec<T> {
        let meant = |there: &&RemoteNamespace| sockets.iter().any(|one| one.namespace == there.id);
        let theirs: Vec<&RemoteNamespace> = self.last_listed.iter().filter(meant).collect();
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
    fn update_members(&mut self, processes: impl Iterator<Item = (u32, u64)>) {
        self.round = self.round.wrapping_add(1);
        let before = std::mem::take(&mut self.members);
        for (pid, identity) in processes {
            let due = self.round.wrapping_add(pid).is_multiple_of(REFRESH_PERIOD);
            let known = before
                .get(&pid)
                .filter(|known| known.identity == identity && !due);
            let member = match known {
                Some(known) => Some(*known),
                None => match namespace_id(&self.root.join(format!("{pid}/ns/net"))) {
                    Ok(namespace) => Some(Some(namespace)),
                    Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Some(None),
                    // It has ended.
                    Err(_) => None,
                }
                .map(|namespace| NamespaceMember {
                    identity,
                    namespace,
                }),
            };
            self.members.extend(member.map(|member| (pid, member)));
        }
    }

    /// Every namespace but our own, by ascending number.
    fn list(&self) -> Vec<RemoteNamespace> {
        let mut inhabited: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (pid, member) in &self.members {
            if let Some(namespace) = member.namespace {
                let pids = inhabited.entry(namespace).or_default();
                pids.insert(*pid);
                if pids.len() > MAX_MEMBERS {
                    pids.pop_last();
                }
            }
        }
        let mut named = named_namespaces();
        let ids: BTreeSet<u32> = inhabited.keys().chain(named.keys()).copied().collect();
        ids.into_iter()
            .filter(|id| *id != self.own_id)
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
                let entrance = name.as_ref().and_then(NamespaceEntry::from_name);
                let first = members.first().copied();
                RemoteNamespace {
                    id,
                    entrance: entrance.or(first.map(NamespaceEntry::Process)),
                    name: name.or_else(|| self.derived_name(*members.first()?)),
                    ns_links: path.into_iter().chain(links).collect(),
                    members,
                }
            })
            .collect()
    }

    /// Derives a name for an unnamed namespace: from the unit of a process in
    /// it, else from the process.
    fn derived_name(&self, pid: u32) -> Option<Text> {
        let folder = self.root.join(pid.to_string());
        let unit = fs::read(folder.join("cgroup"))
            .ok()
            .and_then(|content| cgroup::parse_unit(&content))
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
    fn count_unknown(&self, gaps: &mut Vec<Gap>) {
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
    fn read_in_order(
        &self,
        neighbours: &[RemoteNamespace],
        order: &[usize],
        visits: &mut Vec<(usize, Result<NamespaceContents, SourceError>)>,
    ) {
        let begun = Instant::now();
        for place in order {
            if self.is_bounded && begun.elapsed() > MAX_READ_TIME {
                break;
            }
            visits.push((*place, self.read_one(&neighbours[*place])));
        }
    }

    fn read_one(&self, neighbour: &RemoteNamespace) -> Result<NamespaceContents, SourceError> {
        let id = neighbour.id;
        match enter(neighbour) {
            Ok(()) => {
                let mut standing = Vec::new();
                let root = self.root.join("thread-self");
                let mut source = socket_source::open(self.choice, &root, id, &mut standing)?;
                source.include_tcp_counters(self.with_counters);
                let mut table = source.read(Vec::new())?;
                table.gaps.append(&mut standing);
                let network = AddressReader::default().read(BoundSockets::from_table(&table, id));
                Ok(NamespaceContents {
                    interfaces: interfaces::bound_interfaces(&table.sockets, id),
                    network: addresses::network_or_gap(network, &mut table.gaps),
                    table,
                })
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let refused = SourceError::new("enter", neighbour.first_link(), error);
                // A member may have ended; another may still be readable.
                let read = neighbour.members.iter().find_map(|pid| {
                    let folder = self.root.join(pid.to_string());
                    ProcTables::new(folder, id).read(Vec::new()).ok()
                });
                read.map(|table| NamespaceContents {
                    table,
                    interfaces: BoundInterfaces::default(),
                    network: None,
                })
                .ok_or(refused)
            }
            Err(error) => Err(SourceError::new("enter", neighbour.first_link(), error)),
        }
    }
}

impl NamespaceTables {
    fn add(&mut self, neighbour: &RemoteNamespace, contents: NamespaceContents) {
        self.table.append(contents.table);
        self.interfaces
            .interfaces
            .extend(contents.interfaces.interfaces);
        self.interfaces.missing.extend(contents.interfaces.missing);
        self.networks.extend(contents.network);
        self.namespaces.push(Namespace {
            id: neighbour.id,
            name: neighbour.name.clone(),
            is_current: false,
            entry: neighbour.entrance.clone(),
        });
    }
}

impl RemoteNamespace {
    fn first_link(&self) -> PathBuf {
        self.ns_links.first().cloned().unwrap_or_default()
    }
}

/// Moves the calling thread into a namespace, by the first link that still
/// refers to it: a process may have moved or ended.
fn enter(neighbour: &RemoteNamespace) -> io::Result<()> {
    let mut last = io::ErrorKind::NotFound.into();
    for path in &neighbour.ns_links {
        match open_link(path, neighbour.id) {
            Ok(door) => {
                move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))?;
                return Ok(());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn open_link(path: &Path, id: u32) -> io::Result<File> {
    let door = File::open(path)?;
    if door.metadata()?.ino() == u64::from(id) {
        Ok(door)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn unreadable_gap(count: usize, error: &io::Error) -> Gap {
    namespaces_gap(count, GapReason::from_io_error(error))
}

fn namespaces_gap(count: usize, reason: GapReason) -> Gap {
    Gap {
        kind: GapKind::NamespacesUnreadable,
        count: u64::try_from(count).unwrap_or(u64::MAX),
        reason,
    }
}

/// Namespaces that have a name, with its path.
fn named_namespaces() -> BTreeMap<u32, PathBuf> {
    let Ok(entries) = fs::read_dir(NETNS_DIR) else {
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
