//! The units behind the ids of control groups.
//!
//! An id is the number of the inode of a directory below the mount of cgroup2, so
//! anybody can look it up by walking that tree. It is walked only for an id that is
//! not known yet, and seldom. (On machines of 32 bits the two numbers differ; then
//! nothing is found.)

use super::cgroup;
use crate::model::unit::Unit;
use foldhash::{HashMap, HashMapExt, HashSet};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// From one walk to the next.
const WALK_INTERVAL: Duration = Duration::from_secs(5);
/// An id that so many walks did not find is that of a group which was removed, or lies
/// outside. One may miss a group: it stops counting children when others come.
const MAX_WALKS: u8 = 2;
/// Directories of one walk, at about 2.4 µs each. Users may make as many as they like;
/// the groups of the system's manager come first.
const MAX_DIRECTORIES: usize = 32 * 1024;
/// Ids that are remembered before those out of use are forgotten.
const MAX_KNOWN: usize = 4096;

/// The units of control groups that were asked for.
pub(super) struct CgroupTree {
    /// The proc file system, which tells where the tree is.
    proc: PathBuf,
    known: HashMap<u64, CgroupLookup>,
    /// When it was walked last.
    walked: Option<Instant>,
}

/// Result of the search for an id.
enum CgroupLookup {
    /// The group was found; none if it is neither unit nor container.
    Found(Option<Arc<Unit>>),
    /// It was not, by so many walks.
    Missing(u8),
}

/// A mount of the tree.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    /// Path of the control group that is seen there, from this cgroup namespace's root.
    group: String,
    folder: PathBuf,
}

impl CgroupTree {
    /// The tree of the system whose proc file system is at `proc`.
    pub(super) fn new(proc: &Path) -> Self {
        Self {
            proc: proc.to_owned(),
            known: HashMap::new(),
            walked: None,
        }
    }

    /// Looks for ids that are not known yet, if it is time to.
    pub(super) fn look_up(&mut self, ids: &HashSet<u64>, now: Instant) {
        if self.known.len() > MAX_KNOWN {
            self.known.retain(|id, _| ids.contains(id));
        }
        let is_open = |id: &&u64| match self.known.get(*id) {
            None => true,
            Some(CgroupLookup::Missing(walks)) => *walks < MAX_WALKS,
            Some(CgroupLookup::Found(_)) => false,
        };
        let wanted: HashSet<u64> = ids.iter().filter(is_open).copied().collect();
        let is_due = |last: Instant| now.saturating_duration_since(last) >= WALK_INTERVAL;
        if wanted.is_empty() || !self.walked.is_none_or(is_due) {
            return;
        }
        let mounts = fs::read_to_string(self.proc.join("thread-self/mountinfo"));
        let Some(mount) = mounts.ok().and_then(|mounts| mount(&mounts)) else {
            self.walked = Some(now);
            return;
        };
        self.walk(&mount, wanted);
        self.walked = Some(now);
    }

    /// The unit of an id, where it was found.
    pub(super) fn unit(&self, id: u64) -> Option<&Arc<Unit>> {
        match self.known.get(&id)? {
            CgroupLookup::Found(unit) => unit.as_ref(),
            CgroupLookup::Missing(_) => None,
        }
    }

    fn walk(&mut self, mount: &Mount, mut wanted: HashSet<u64>) {
        let mut enter = |id: u64, path: &Path| {
            if wanted.remove(&id) {
                let below = path.strip_prefix(&mount.folder).unwrap_or(path);
                let path = format!("{}/{}", mount.group, below.to_string_lossy());
                let unit = cgroup::unit_of_path(&path).map(Arc::new);
                self.known.insert(id, CgroupLookup::Found(unit));
            }
            wanted.is_empty()
        };
        visit(&mount.folder, MAX_DIRECTORIES, &mut enter);
        for id in wanted {
            let missing = self.known.entry(id).or_insert(CgroupLookup::Missing(0));
            if let CgroupLookup::Missing(walks) = missing {
                *walks += 1;
            }
        }
    }
}

/// Shows the directories of a tree with their inodes, those near the root first, until
/// `is_enough` says so; returns how many there were. What cannot be read is left out.
///
/// A directory has a link from each child and two of its own, where the file system
/// counts them: so those without children need not be read, and others only until all
/// of them are seen.
fn visit(root: &Path, most: usize, is_enough: &mut dyn FnMut(u64, &Path) -> bool) -> usize {
    let children = |path: &Path| {
        let metadata = fs::symlink_metadata(path).ok()?;
        let links = usize::try_from(metadata.nlink()).ok()?;
        Some((metadata.ino(), links.checked_sub(2).unwrap_or(usize::MAX)))
    };
    let Some((id, count)) = children(root) else {
        return 0;
    };
    let mut seen = 1;
    if is_enough(id, root) {
        return seen;
    }
    let mut unread = VecDeque::from([(root.to_owned(), count)]);
    while let Some((folder, count)) = unread.pop_front() {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        for entry in folders.take(count) {
            let path = entry.path();
            seen += 1;
            if is_enough(entry.ino(), &path) || seen >= most {
                return seen;
            }
            if let Some((_, count)) = children(&path).filter(|(_, count)| *count > 0) {
                unread.push_back((path, count));
            }
        }
    }
    seen
}

/// The mount of cgroup2 that shows most of the tree, in the content of a `mountinfo`
/// (proc(5)); none where none is mounted, or at a path with odd characters only.
fn mount(mounts: &str) -> Option<Mount> {
    let all = mounts.lines().filter_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (group, folder) = (fields.next()?, fields.next()?);
        // Blanks and backslashes are written as octal numbers.
        let is_plain = !group.contains('\\') && !folder.contains('\\');
        (kind.split(' ').next() == Some("cgroup2") && is_plain).then(|| Mount {
            group: group.trim_end_matches('/').to_owned(),
            folder: PathBuf::from(folder),
        })
    });
    all.min_by_key(|mount| mount.group.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use tempfile::TempDir;

    /// A tree as systemd makes it.
    fn tree() -> TempDir {
        let tree = TempDir::new().unwrap();
        for folder in [
            "init.scope",
            "system.slice/nginx.service",
            "system.slice/ssh.socket",
            "system.slice/system-a.slice/a@1.service",
            "user.slice/user-1000.slice/user@1000.service/app.slice/x.service",
        ] {
            fs::create_dir_all(tree.path().join(folder)).unwrap();
        }
        fs::write(tree.path().join("cgroup.procs"), "1\n").unwrap();
        tree
    }

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).unwrap().ino()
    }

    fn mounted(tree: &TempDir) -> Mount {
        Mount {
            group: String::new(),
            folder: tree.path().to_owned(),
        }
    }

    #[test]
    fn an_id_is_the_inode_of_its_directory() {
        let tree = tree();
        let mut units = CgroupTree::new(Path::new("/nonexistent"));
        let cases = [
            ("", None),
            ("system.slice", Some("system.slice")),
            ("system.slice/nginx.service", Some("nginx.service")),
            (
                "system.slice/system-a.slice/a@1.service",
                Some("a@1.service"),
            ),
            (
                "user.slice/user-1000.slice/user@1000.service/app.slice/x.service",
                Some("user@1000: x.service"),
            ),
        ];
        let id = |folder: &str| inode(&tree.path().join(folder));
        let removed = u64::MAX;
        let wanted = cases.iter().map(|(folder, _)| id(folder)).chain([removed]);
        units.walk(&mounted(&tree), wanted.collect());
        for (folder, unit) in cases {
            let found = units.unit(id(folder)).map(|unit| unit.as_str());
            assert_eq!(found, unit, "{folder}");
        }
        assert_eq!(units.unit(removed), None);
        assert!(matches!(units.known[&removed], CgroupLookup::Missing(1)));
        assert!(units.known.len() == cases.len() + 1, "nothing else is kept");
    }

    #[test]
    fn a_mount_of_a_part_has_the_names_above_it() {
        let tree = tree();
        let folder = tree.path().join("system.slice");
        let id = inode(&folder.join("nginx.service"));
        for (group, stop) in [
            ("/system.slice", Some("systemctl stop nginx.service")),
            ("/../system.slice", None),
        ] {
            let mut units = CgroupTree::new(Path::new("/nonexistent"));
            let group = group.to_owned();
            let folder = folder.clone();
            units.walk(&Mount { group, folder }, HashSet::from_iter([id]));
            let unit = units.unit(id).unwrap();
            assert_eq!(unit.as_str(), "nginx.service");
            assert_eq!(unit.stop_command().as_deref(), stop);
        }
    }

    #[test]
    fn a_walk_sees_all_near_the_root_first_and_ends_in_time() {
        let tree = tree();
        let mut shown = Vec::new();
        let all = visit(tree.path(), 1000, &mut |_, path| {
            shown.push(path.strip_prefix(tree.path()).unwrap().to_owned());
            false
        });
        let depth = |path: &PathBuf| path.components().count();
        assert_eq!((all, shown.len()), (12, 12), "{shown:?}");
        assert!(shown.is_sorted_by_key(depth), "{shown:?}");
        assert_eq!(shown.iter().collect::<BTreeSet<_>>().len(), 12);
        assert_eq!(visit(tree.path(), 5, &mut |_, _| false), 5);
        let wanted = inode(&tree.path().join("system.slice"));
        let until = visit(tree.path(), 1000, &mut |id, _| id == wanted);
        assert!(until <= 4, "{until}");
        assert_eq!(visit(&tree.path().join("none"), 9, &mut |_, _| false), 0);
    }

    #[test]
    fn the_tree_is_walked_for_unknown_ids_alone_and_seldom() {
        let tree = tree();
        let proc = TempDir::new().unwrap();
        fs::create_dir(proc.path().join("thread-self")).unwrap();
        let mounts = format!(
            "30 20 0:26 / {} rw - cgroup2 cgroup2 rw\n",
            tree.path().display()
        );
        fs::write(proc.path().join("thread-self/mountinfo"), mounts).unwrap();
        let id = |folder: &str| inode(&tree.path().join(folder));
        let mut units = CgroupTree::new(proc.path());
        let (nginx, gone) = (id("system.slice/nginx.service"), u64::MAX);
        let begin = Instant::now();
        let mut at = |ids: &[u64], seconds: u64| {
            let now = begin + Duration::from_secs(seconds);
            units.look_up(&ids.iter().copied().collect(), now);
            let named = ids.iter().map(|id| units.unit(*id).is_some());
            let walked = units.walked.map(|walked| (walked - begin).as_secs());
            (named.collect::<Vec<_>>(), walked)
        };
        assert_eq!(at(&[], 0), (vec![], None));
        assert_eq!(at(&[nginx], 1), (vec![true], Some(1)));
        assert_eq!(at(&[nginx], 100), (vec![true], Some(1)));
        assert_eq!(at(&[nginx, gone], 101), (vec![true, false], Some(101)));
        assert_eq!(at(&[gone], 103), (vec![false], Some(101)));
        let fresh = tree.path().join("system.slice/fresh.service");
        fs::create_dir(&fresh).unwrap();
        let fresh = inode(&fresh);
        assert_eq!(at(&[fresh], 104), (vec![false], Some(101)));
        assert_eq!(at(&[fresh, gone], 106), (vec![true, false], Some(106)));
        // Twice missing is gone for good.
        assert_eq!(at(&[gone], 200), (vec![false], Some(106)));
    }

    #[test]
    fn the_mount_is_found_by_its_kind_and_with_the_whole_tree() {
        const V2: &str = "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw";
        const PART: &str = "9 8 0:26 /system.slice/docker-0.scope /sys/fs/cgroup ro - cgroup2 c rw";
        const OUTSIDE: &str = "9 8 0:26 /../.. /mnt rw - cgroup2 none rw";
        const HYBRID: &str = "\
25 20 0:21 / /sys/fs/cgroup ro shared:8 - tmpfs tmpfs ro
26 25 0:22 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw
27 25 0:23 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd";
        let v1 = "27 25 0:23 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        let odd = "30 20 0:26 / /mnt/a\\040b rw - cgroup2 cgroup2 rw";
        let found = |text: &str| {
            let mount = mount(text)?;
            Some((mount.group, mount.folder.to_str().unwrap().to_owned()))
        };
        let told = |group: &str, folder: &str| Some((group.to_owned(), folder.to_owned()));
        for (text, expected) in [
            (V2, told("", "/sys/fs/cgroup")),
            (HYBRID, told("", "/sys/fs/cgroup/unified")),
            (PART, told("/system.slice/docker-0.scope", "/sys/fs/cgroup")),
            (OUTSIDE, told("/../..", "/mnt")),
            (&format!("{PART}\n{V2}"), told("", "/sys/fs/cgroup")),
            (v1, None),
            (odd, None),
            ("", None),
            ("- cgroup2\n1 2 - cgroup2", None),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }
}
