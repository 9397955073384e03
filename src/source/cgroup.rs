//! The container or unit that a process runs in, from the name of its control
//! group: pure, text only.
//!
//! Format: cgroups(7), `/proc/PID/cgroup`. The names are conventions: of
//! systemd (systemd.unit(5)), and of the container runtimes that put the
//! container's id, 64 hexadecimal digits, into the name.

use crate::model::text::Text;
use crate::model::unit::{Unit, UnitKind, UnitManager, unit_kind};

/// Number of digits of a container's id that are shown, as its tools do.
const SHOWN_ID_DIGITS: usize = 12;
/// Ids are this long, in hexadecimal digits.
const CONTAINER_ID_DIGITS: usize = 64;
/// Prefixes that runtimes put before an id, and the runtime's name.
const RUNTIMES: &[(&str, &str)] = &[
    ("docker-", "docker"),
    ("libpod-", "podman"),
    ("cri-containerd-", "containerd"),
    ("crio-", "cri-o"),
];

/// The container or unit named in the content of `/proc/PID/cgroup`; none for
/// a process in the root group.
#[must_use]
pub(super) fn parse_unit(content: &[u8]) -> Option<Unit> {
    let content = String::from_utf8_lossy(content);
    if let Some(path) = systemd_path(&content) {
        return unit_of_path(path);
    }
    // In a hierarchy of another controller no manager has vouched for the names.
    let unit = unit_of_path(group_path(&content)?)?;
    Some(unit.with_unknown_manager())
}

/// The container or unit of a control group.
///
/// From the root on, slices and then one unit are made by the system's manager
/// alone; below that unit others name the groups.
#[must_use]
pub(super) fn unit_of_path(path: &str) -> Option<Unit> {
    let parts = path
        .split('/')
        .filter(|part| !["", ".", ".."].contains(part));
    let parts: Vec<&str> = parts.collect();
    // The path of a group outside the own cgroup namespace begins with `/..`;
    // its outer part is unknown.
    let outside = path.split('/').any(|part| part == "..");
    let (of_system, below) = first_unit(&parts);
    let user = of_system
        .and_then(user_manager)
        .filter(|_| !below.is_empty());
    let manager = match user {
        _ if outside => UnitManager::Unknown,
        Some(uid) => UnitManager::User(uid),
        None => UnitManager::System,
    };
    if let Some(name) = parts.iter().rev().find_map(|part| container_name(part)) {
        return Some(Unit::new(&name, UnitKind::Container, manager));
    }
    let (unit, groups) = match user {
        Some(_) => (first_unit(below).0, below),
        None => (of_system, &parts[..]),
    };
    if let Some(name) = unit {
        // A user's manager itself must not be stopped for one of its processes.
        let kind = match user_manager(name) {
            None => unit_kind(name),
            Some(_) => None,
        };
        return Some(Unit::new(name, kind.unwrap_or(UnitKind::Cgroup), manager));
    }
    let last = groups.last()?;
    // A group named like a unit is not one.
    let name = match unit_kind(last) {
        Some(_) => groups.join("/"),
        None => (*last).to_owned(),
    };
    Some(Unit::new(&name, UnitKind::Cgroup, manager))
}

/// The first unit with processes below slices, and what lies below that.
fn first_unit<'a, 'p>(parts: &'a [&'p str]) -> (Option<&'p str>, &'a [&'p str]) {
    let slices = parts.iter().take_while(|part| is_slice(part));
    let place = slices.count();
    match parts.get(place) {
        Some(part) if unit_kind(part).is_some() => (Some(*part), &parts[place + 1..]),
        _ => (None, &[]),
    }
}

fn is_slice(part: &str) -> bool {
    matches!(part.rsplit_once('.'), Some((_, "slice")))
}

/// The user whose manager a unit of the system is (`user@UID.service`).
fn user_manager(unit: &str) -> Option<u32> {
    let uid = unit.strip_prefix("user@")?.strip_suffix(".service")?;
    uid.parse().ok()
}

/// The path of the control group, `/` for the root group.
#[must_use]
pub(super) fn parse_group(content: &[u8]) -> Option<Text> {
    let content = String::from_utf8_lossy(content);
    let root = || content.lines().next().map(|_| "/");
    Some(Text::from(group_path(&content).or_else(root)?))
}

/// The path in one of systemd's hierarchies, else in that of any controller.
fn group_path(content: &str) -> Option<&str> {
    systemd_path(content).or_else(|| find_hierarchy(content, |_, _| true))
}

/// The path in the unified hierarchy (number 0), else in systemd's own.
fn systemd_path(content: &str) -> Option<&str> {
    find_hierarchy(content, |number, controllers| {
        number == "0" && controllers.is_empty()
    })
    .or_else(|| find_hierarchy(content, |_, controllers| controllers == "name=systemd"))
}

fn find_hierarchy(content: &str, wanted: fn(&str, &str) -> bool) -> Option<&str> {
    content.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        (wanted(number, controllers) && path != "/").then_some(path)
    })
}

fn container_name(part: &str) -> Option<String> {
    let bare = part.strip_suffix(".scope").unwrap_or(part);
    if let Some(name) = bare.strip_prefix("lxc.payload.") {
        return Some(format!("lxc:{name}"));
    }
    if let Some(name) = bare.strip_prefix("app-flatpak-").filter(|_| bare != part) {
        // The name of the application, and a number.
        let application = name.rsplit_once('-').map_or(name, |(name, _)| name);
        return Some(format!("flatpak:{application}"));
    }
    if let Some(name) = bare.strip_prefix("machine-").filter(|_| bare != part) {
        return Some(format!("machine:{}", unescape(name)));
    }
    let (runtime, id) = RUNTIMES
        .iter()
        .find_map(|(prefix, runtime)| Some((*runtime, bare.strip_prefix(prefix)?)))
        .unwrap_or(("container", bare));
    let is_id = id.len() == CONTAINER_ID_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| format!("{runtime}:{}", &id[..SHOWN_ID_DIGITS]))
}

/// systemd writes a dash within a name as `\x2d` (systemd-escape(1)).
fn unescape(name: &str) -> String {
    name.replace("\\x2d", "-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_command_stops_only_what_the_manager_of_the_group_knows_by_that_name() {
        let id = "0123456789abcdef".repeat(4);
        let user = "/user.slice/user-2001.slice/user@2001.service";
        let cases = [
            (
                "/system.slice/nginx.service",
                Some("systemctl stop nginx.service"),
            ),
            ("/nginx.service", Some("systemctl stop nginx.service")),
            (
                "/system.slice/ssh.socket",
                Some("systemctl stop ssh.socket"),
            ),
            ("/mine/ssh.socket", None),
            (
                "/system.slice/system-a.slice/a@1.service",
                Some("systemctl stop a@1.service"),
            ),
            (
                "/system.slice/ssh.service/nginx.service",
                Some("systemctl stop ssh.service"),
            ),
            (
                "/system.slice/dev-disk\\x2dby.service",
                Some("systemctl stop 'dev-disk\\x2dby.service'"),
            ),
            (
                &format!("{user}/app.slice/sshd.service"),
                Some("systemctl --user -M 2001@ stop sshd.service"),
            ),
            (&format!("{user}/init.scope"), None),
            (&format!("{user}/mine/sshd.service"), None),
            (user, None),
            (
                &format!("{user}/user.slice/libpod-{id}.scope/sshd.service"),
                None,
            ),
            (
                &format!("/system.slice/docker-{id}.scope/system.slice/sshd.service"),
                None,
            ),
            ("/lxc.payload.web/system.slice/sshd.service", None),
            (
                "/machine.slice/machine-web.scope/payload/system.slice/sshd.service",
                None,
            ),
            ("/mine/sshd.service", None),
            ("/../system.slice/sshd.service", None),
            (
                "/user.slice/user-2001.slice/session-3.scope/sshd.service",
                None,
            ),
        ];
        for (path, command) in cases {
            let unit = unit_of_path(path).unwrap();
            assert_eq!(unit.stop_command().as_deref(), command, "{path}");
        }
    }

    #[test]
    fn a_group_of_another_controller_is_no_unit_to_stop() {
        let managed = b"4:memory:/x\n1:name=systemd:/system.slice/cron.service\n0::/\n";
        let command = parse_unit(managed).unwrap().stop_command();
        assert_eq!(command.as_deref(), Some("systemctl stop cron.service"));
        let other = parse_unit(b"4:memory:/system.slice/sshd.service\n0::/\n").unwrap();
        assert_eq!(other.as_str(), "sshd.service");
        assert_eq!(other.stop_command(), None);
    }

    #[test]
    fn names_what_a_process_runs_in() {
        let id = "0123456789abcdef".repeat(4);
        let cases = [
            ("0::/system.slice/nginx.service\n", "nginx.service"),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.scope\n",
                "user@1000: app-foo.scope",
            ),
            (
                "0::/user.slice/user-2001.slice/user@2001.service/app.slice/sshd.service\n",
                "user@2001: sshd.service",
            ),
            (
                "0::/user.slice/user-2001.slice/user@2001.service/a.slice/b.slice/x.service/y.service\n",
                "user@2001: x.service",
            ),
            (
                "0::/user.slice/user-2001.slice/user@2001.service/init.scope\n",
                "user@2001: init.scope",
            ),
            (
                "0::/user.slice/user-2001.slice/user@2001.service\n",
                "user@2001.service",
            ),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-flatpak-org.example.Web-812.scope\n",
                "user@1000: flatpak:org.example.Web",
            ),
            (
                "0::/system.slice/system-getty.slice/getty@tty1.service\n",
                "getty@tty1.service",
            ),
            ("0::/system.slice/ssh.service/sshd.service\n", "ssh.service"),
            ("0::/init.scope\n", "init.scope"),
            (
                "0::/user.slice/user-0.slice/session-3.scope\n",
                "session-3.scope",
            ),
            ("0::/system.slice/ssh.service/worker\n", "ssh.service"),
            ("0::/lxc.payload.web/system.slice/a.service\n", "lxc:web"),
            (
                "0::/machine.slice/machine-deb\\x2dian.scope\n",
                "machine:deb-ian",
            ),
            ("0::/mine\n", "mine"),
            ("0::/mine/sshd.service\n", "mine/sshd.service"),
            (
                "0::/user.slice/user-2001.slice/user@2001.service/mine/sshd.service\n",
                "user@2001: mine/sshd.service",
            ),
            (
                "12:pids:/x\n1:name=systemd:/system.slice/cron.service\n0::/\n",
                "cron.service",
            ),
            ("4:memory:/batch\n0::/\n", "batch"),
            ("0::/../../system.slice/cron.service\n", "cron.service"),
            ("0::/../mine\n", "mine"),
        ];
        for (content, expected) in cases {
            let found = parse_unit(content.as_bytes()).unwrap();
            assert_eq!(found.as_str(), expected, "{content}");
        }
        let contained = [
            (format!("0::/system.slice/docker-{id}.scope"), "docker"),
            (format!("0::/docker/{id}"), "container"),
            (
                format!("0::/machine.slice/libpod-{id}.scope/container"),
                "podman",
            ),
            (
                format!("0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-{id}.scope"),
                "containerd",
            ),
        ];
        for (content, runtime) in contained {
            let found = parse_unit(content.as_bytes()).unwrap();
            assert_eq!(found.as_str(), format!("{runtime}:0123456789ab"));
        }
        for nothing in ["", "0::/\n", "nonsense\n", "0::", "0::/..\n", "0::/../..\n"] {
            assert!(parse_unit(nothing.as_bytes()).is_none(), "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_unit(&bytes);
        }

        #[test]
        fn any_path_is_survived(path in "[0-9]{0,2}:[a-z=]{0,8}:/[\\PC]{0,99}") {
            let _ = parse_unit(path.as_bytes());
        }
    }
}
