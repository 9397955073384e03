//! The container or unit that a process runs in, from the name of its control
//! group: pure, text only.
//!
//! Format: cgroups(7), `/proc/PID/cgroup`. The names are conventions: of
//! systemd (systemd.unit(5)), and of the container runtimes that put the
//! container's id, 64 hexadecimal digits, into the name.

use crate::model::text::Text;

/// How many digits of a container's id are shown, as its tools do.
const SHOWN: usize = 12;
/// Ids are this long, in hexadecimal digits.
const ID: usize = 64;
/// What runtimes write before an id, and what the container is called here.
const RUNTIMES: &[(&str, &str)] = &[
    ("docker-", "docker"),
    ("libpod-", "podman"),
    ("cri-containerd-", "containerd"),
    ("crio-", "cri-o"),
];

/// The container or unit named in the content of `/proc/PID/cgroup`; none for
/// a process in the root group.
#[must_use]
pub(super) fn unit(content: &[u8]) -> Option<Text> {
    let content = String::from_utf8_lossy(content);
    let path = path(&content)?;
    // Of a group outside the own cgroup namespace the path begins with `/..`.
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !["", ".", ".."].contains(part))
        .collect();
    let named = parts
        .iter()
        .rev()
        .find_map(|part| container(part))
        .or_else(|| {
            let unit = parts.iter().rev().find(|part| is_unit(part))?;
            Some((*unit).to_owned())
        })
        .or_else(|| parts.last().map(|part| (*part).to_owned()))?;
    Some(Text::from(named.as_str()))
}

/// The path of the control group, `/` for the root group.
#[must_use]
pub(super) fn group(content: &[u8]) -> Option<Text> {
    let content = String::from_utf8_lossy(content);
    let root = || content.lines().next().map(|_| "/");
    Some(Text::from(path(&content).or_else(root)?))
}

/// The path in the unified hierarchy (number 0), else in systemd's own.
fn path(content: &str) -> Option<&str> {
    let in_hierarchy = |wanted: fn(&str, &str) -> bool| {
        content.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            (wanted(number, controllers) && path != "/").then_some(path)
        })
    };
    in_hierarchy(|number, controllers| number == "0" && controllers.is_empty())
        .or_else(|| in_hierarchy(|_, controllers| controllers == "name=systemd"))
        .or_else(|| in_hierarchy(|_, _| true))
}

fn container(part: &str) -> Option<String> {
    let bare = part.strip_suffix(".scope").unwrap_or(part);
    if let Some(name) = bare.strip_prefix("lxc.payload.") {
        return Some(format!("lxc:{name}"));
    }
    if let Some(name) = bare.strip_prefix("machine-").filter(|_| bare != part) {
        return Some(format!("machine:{}", unescaped(name)));
    }
    let (runtime, id) = RUNTIMES
        .iter()
        .find_map(|(prefix, runtime)| Some((*runtime, bare.strip_prefix(prefix)?)))
        .unwrap_or(("container", bare));
    let is_id = id.len() == ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| format!("{runtime}:{}", &id[..SHOWN]))
}

/// systemd writes a dash within a name as `\x2d` (systemd-escape(1)).
fn unescaped(name: &str) -> String {
    name.replace("\\x2d", "-")
}

fn is_unit(part: &str) -> bool {
    let kind = part.rsplit_once('.').map(|(_, kind)| kind);
    matches!(kind, Some("service" | "scope"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_what_a_process_runs_in() {
        let id = "0123456789abcdef".repeat(4);
        let cases = [
            ("0::/system.slice/nginx.service\n", "nginx.service"),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.scope\n",
                "app-foo.scope",
            ),
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
            (
                "12:pids:/x\n1:name=systemd:/system.slice/cron.service\n0::/\n",
                "cron.service",
            ),
            ("4:memory:/batch\n0::/\n", "batch"),
            ("0::/../../system.slice/cron.service\n", "cron.service"),
            ("0::/../mine\n", "mine"),
        ];
        for (content, expected) in cases {
            let found = unit(content.as_bytes()).unwrap();
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
            let found = unit(content.as_bytes()).unwrap();
            assert_eq!(found.as_str(), format!("{runtime}:0123456789ab"));
        }
        for nothing in ["", "0::/\n", "nonsense\n", "0::", "0::/..\n", "0::/../..\n"] {
            assert!(unit(nothing.as_bytes()).is_none(), "{nothing}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = unit(&bytes);
        }

        #[test]
        fn any_path_is_survived(path in "[0-9]{0,2}:[a-z=]{0,8}:/[\\PC]{0,99}") {
            let _ = unit(path.as_bytes());
        }
    }
}
