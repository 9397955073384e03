//! Proxies that have a socket on behalf of another program: a container's
//! published port, a port forwarded into a cluster, a unit of systemd. Ending
//! the proxy is rarely intended, so the confirmation and the explanation name
//! its target and what to end instead.
//!
//! A process chooses its name and its command line. Values from them are parsed
//! as an address, a number or a plain word, or dropped, and the sentences name
//! their source.

use super::catalogue::Catalogue;
use super::template::render;
use crate::model::observation::Observation;
use crate::model::process::Process;
use crate::model::text::Text;
use crate::model::unit::Unit;
use std::net::{IpAddr, SocketAddr};

/// Longest word taken from a command line, bytes.
const MAX_WORD_BYTES: usize = 64;

/// The service or container behind a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketProxy {
    /// docker-proxy: a container's published port.
    Docker {
        /// Address of the container, if it is in the command line.
        container: Option<SocketAddr>,
        /// Port of this machine.
        host_port: Option<u16>,
    },
    /// rootlessport: a port of a rootless container.
    RootlessPort,
    /// pasta or slirp4netns: the whole network of a rootless container.
    UserModeNetwork,
    /// conmon: a container of podman or CRI-O, by its name or the start of its id.
    Conmon(Option<String>),
    /// `kubectl port-forward`: its target.
    Kubectl(Option<String>),
    /// systemd: a socket unit, by its name where that is known.
    SocketUnit(Option<Unit>),
}

impl SocketProxy {
    /// Returns the target of a process that holds a socket on a local port; none if it is
    /// no such proxy.
    #[must_use]
    pub fn on_port(process: &Process, port: u16, observation: &Observation) -> Option<Self> {
        let found = Self::of(process)?;
        Some(match found {
            Self::SocketUnit(_) if process.pid == 1 => {
                let unit = observation.socket_unit(port);
                let unit = unit.filter(|unit| unit.stop_command().is_some());
                Self::SocketUnit(unit.cloned())
            }
            other => other,
        })
    }

    fn of(process: &Process) -> Option<Self> {
        let name = process.name.as_str();
        let arguments = &process.command_line;
        Some(match name {
            "docker-proxy" => {
                let address: Option<IpAddr> = flag_value(arguments, "container-ip");
                let port: Option<u16> = flag_value(arguments, "container-port");
                Self::Docker {
                    container: address
                        .zip(port)
                        .map(|(address, port)| SocketAddr::new(address, port)),
                    host_port: flag_value(arguments, "host-port"),
                }
            }
            "rootlessport" | "rootlessport-ch" | "rootlessport-child" | "rootlesskit" => {
                Self::RootlessPort
            }
            "pasta" | "pasta.avx2" | "passt" | "passt.avx2" | "slirp4netns" => {
                Self::UserModeNetwork
            }
            "conmon" => {
                let named =
                    argument_after(arguments, "-n").or_else(|| argument_after(arguments, "--name"));
                let id =
                    argument_after(arguments, "-c").or_else(|| argument_after(arguments, "--cid"));
                let short = |id: String| id.chars().take(12).collect();
                Self::Conmon(named.or_else(|| id.map(short)))
            }
            "kubectl" => {
                let forwards = arguments.iter().any(|word| word.as_str() == "port-forward");
                if !forwards {
                    return None;
                }
                let mut words = arguments.iter().map(Text::as_str);
                let target =
                    words.find(|word| !word.starts_with(['-', '/', '.']) && word.contains('/'));
                Self::Kubectl(target.and_then(plain_word))
            }
            "systemd" => Self::SocketUnit(None),
            _ => return None,
        })
    }

    /// Key in the assets.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Self::Docker {
                container: Some(_), ..
            } => "docker",
            Self::Docker { .. } => "docker_bare",
            Self::RootlessPort => "rootless",
            Self::UserModeNetwork => "network",
            Self::Conmon(Some(_)) => "conmon",
            Self::Conmon(None) => "conmon_bare",
            Self::Kubectl(Some(_)) => "kubectl",
            Self::Kubectl(None) => "kubectl_bare",
            Self::SocketUnit(Some(_)) => "socket_unit",
            Self::SocketUnit(None) => "socket_unit_bare",
        }
    }

    /// Every key.
    pub const KEYS: [&'static str; 10] = [
        "docker",
        "docker_bare",
        "rootless",
        "network",
        "conmon",
        "conmon_bare",
        "kubectl",
        "kubectl_bare",
        "socket_unit",
        "socket_unit_bare",
    ];

    /// Returns a sentence with the target and what to end instead. `port` is
    /// the local port of the socket.
    #[must_use]
    pub fn describe(&self, process: &Process, port: u16, words: &Catalogue) -> String {
        let told = render(words.closing("stands_for", self.key()), |place| {
            Some(match (place, self) {
                ("process", _) => process.name.to_string(),
                ("container", Self::Docker { container, .. }) => container.as_ref()?.to_string(),
                ("container", Self::Conmon(container)) => container.clone()?,
                ("target", Self::Kubectl(target)) => target.clone()?,
                ("unit", Self::SocketUnit(unit)) => unit.as_ref()?.as_str().to_owned(),
                ("command", Self::SocketUnit(unit)) => unit.as_ref()?.stop_command()?,
                (
                    "port",
                    Self::Docker {
                        host_port: Some(port),
                        ..
                    },
                ) => port.to_string(),
                ("port", _) => port.to_string(),
                _ => return None,
            })
        });
        told.unwrap_or_default()
    }
}

/// The value of a flag, `-name value`, `--name value` or `-name=value`.
fn flag_value<T: std::str::FromStr>(arguments: &[Text], name: &str) -> Option<T> {
    let mut words = arguments.iter().map(Text::as_str);
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix('-') else {
            continue;
        };
        let flag = flag.strip_prefix('-').unwrap_or(flag);
        if flag == name {
            return words.next()?.parse().ok();
        }
        if let Some((found, value)) = flag.split_once('=')
            && found == name
        {
            return value.parse().ok();
        }
    }
    None
}

/// The plain word after an argument.
fn argument_after(arguments: &[Text], flag: &str) -> Option<String> {
    let mut words = arguments.iter().map(Text::as_str);
    words.find(|word| *word == flag)?;
    words.next().and_then(plain_word)
}

/// Returns a word that can stand in a command to copy; none if it is anything
/// else.
fn plain_word(word: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let good = !word.is_empty()
        && word.len() <= MAX_WORD_BYTES
        && !word.starts_with('-')
        && word.bytes().all(fits);
    good.then(|| word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;

    fn process(name: &str, command: &str) -> Process {
        Process {
            name: name.into(),
            command_line: command.split(' ').map(Text::from).collect(),
            ..Process::default()
        }
    }

    #[test]
    fn proxies_name_their_target() {
        const ID: &str = "3f9a1c0b7d2e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f801234567";
        let conmon = format!("/usr/bin/conmon --api-version 1 -c {ID} -u {ID} -n web -b /x");
        let nameless = format!("/usr/bin/conmon -c {ID}");
        let cases = [
            (
                "docker-proxy",
                "/usr/bin/docker-proxy -proto tcp -host-ip 127.0.0.1 -host-port 48080 \
                 -container-ip 172.17.0.2 -container-port 80",
                "the container at 172.17.0.2:80. To free the port, end that: docker ps \
                 --filter publish=48080 names it, docker stop ends it.",
            ),
            (
                "docker-proxy",
                "docker-proxy -host-port=8080 -container-ip fd00:1234:5678:9abc::2 \
                 -container-port=443 -use-listen-fd",
                "the container at [fd00:1234:5678:9abc::2]:443.",
            ),
            (
                "docker-proxy",
                "docker-proxy -container-ip $(reboot) -container-port 80",
                "stands for a container. To free the port, end that: docker ps \
                 --filter publish=7 names it",
            ),
            (
                "docker-proxy",
                "docker-proxy -container-ip",
                "for a container",
            ),
            ("rootlessport", "rootlessport", "podman stop ends it"),
            (
                "slirp4netns",
                "slirp4netns --mtu=65520 812 tap0",
                "the network of",
            ),
            (
                "conmon",
                &conmon,
                "the container web. To end that: podman stop web",
            ),
            ("conmon", &nameless, "podman stop 3f9a1c0b7d2e"),
            ("conmon", "conmon -n ;reboot", "of a container"),
            (
                "kubectl",
                "kubectl -n shop port-forward svc/web 8080:80",
                "kubectl port-forward to svc/web",
            ),
            (
                "kubectl",
                "/usr/bin/kubectl port-forward web 8080:80",
                "into a cluster",
            ),
            ("systemd", "/sbin/init splash", "systemctl list-sockets"),
        ];
        let words = Catalogue::of(Language::English);
        for (name, command, expected) in cases {
            let process = process(name, command);
            let stands_for = SocketProxy::of(&process).unwrap();
            let told = stands_for.describe(&process, 7, words);
            assert!(told.contains(expected), "{command}: {told}");
            assert!(!told.contains("reboot"), "{told}");
            assert!(SocketProxy::KEYS.contains(&stands_for.key()));
        }
    }

    #[test]
    fn other_processes_are_no_proxies() {
        for (name, command) in [
            ("nginx", "nginx -container-ip 172.17.0.2"),
            ("kubectl", "kubectl get pods"),
            ("systemd-resolve", "/lib/systemd/systemd-resolved"),
            ("", ""),
        ] {
            assert_eq!(SocketProxy::of(&process(name, command)), None, "{name}");
        }
    }

    /// An address, or any, and a port.
    type End = (Option<&'static str>, u16);

    /// Sockets of process 1 on port 22, or 80, and socket units with addresses.
    fn activated(units: &[(&str, &[End])]) -> (Process, Observation) {
        use crate::filter::test_world::row;
        use crate::model::owner::{Holder, OwnerSpan, ProcessId};
        use crate::model::protocol::Protocol;
        use crate::model::socket_unit::{ListenAddress, SocketUnit};
        use crate::model::state::State;
        use std::sync::Arc;
        let systemd = Process {
            pid: 1,
            ..process("systemd", "/sbin/init")
        };
        let listener = |end: &str| {
            let mut listener = row(Protocol::Tcp, State::Listen, end, "-");
            listener.owners = OwnerSpan { start: 0, count: 1 };
            listener
        };
        let units = units.iter().map(|(name, addresses)| SocketUnit {
            unit: Unit::system(name),
            addresses: addresses
                .iter()
                .map(|(address, port)| ListenAddress {
                    protocol: Protocol::Tcp,
                    address: address.map(|address| address.parse().unwrap()),
                    port: *port,
                })
                .collect(),
        });
        let seen = Observation {
            processes: vec![Arc::new(systemd.clone())],
            holders: vec![Holder {
                process: ProcessId(0),
                fd: 42,
            }],
            rows: Arc::new(vec![
                listener("[::]:22"),
                listener("127.0.0.1:80"),
                listener("192.0.2.1:80"),
            ]),
            socket_units: Arc::new(units.collect()),
            ..Observation::default()
        };
        (systemd, seen)
    }

    #[test]
    fn a_socket_unit_is_named_where_it_is_the_only_one() {
        const MIN_STATE_WIDTH: &str = "systemctl list-sockets names the unit";
        let any = |port| (None, port);
        let cases = [
            (
                22,
                vec![("ssh.socket", vec![any(22)])],
                "systemctl stop ssh.socket frees",
            ),
            (
                22,
                vec![("a\\x2db.socket", vec![any(22)])],
                "systemctl stop 'a\\x2db.socket' frees",
            ),
            (22, vec![("a b.socket", vec![any(22)])], MIN_STATE_WIDTH),
            (22, vec![("ssh.socket", vec![any(2222)])], MIN_STATE_WIDTH),
            (
                22,
                vec![("a.socket", vec![any(22)]), ("b.socket", vec![any(22)])],
                MIN_STATE_WIDTH,
            ),
            (
                22,
                vec![("a.socket", vec![(Some("192.0.2.1"), 22)])],
                MIN_STATE_WIDTH,
            ),
            (
                80,
                vec![(
                    "web.socket",
                    vec![(Some("127.0.0.1"), 80), (Some("192.0.2.1"), 80)],
                )],
                "systemctl stop web.socket frees",
            ),
            // One of the two sockets is of nobody known.
            (
                80,
                vec![("web.socket", vec![(Some("127.0.0.1"), 80)])],
                MIN_STATE_WIDTH,
            ),
            (
                80,
                vec![
                    ("a.socket", vec![(Some("127.0.0.1"), 80)]),
                    ("b.socket", vec![(Some("192.0.2.1"), 80)]),
                ],
                MIN_STATE_WIDTH,
            ),
            (22, vec![], MIN_STATE_WIDTH),
        ];
        for (port, units, expected) in cases {
            let units: Vec<_> = units.iter().map(|(name, all)| (*name, &all[..])).collect();
            let (systemd, seen) = activated(&units);
            for language in Language::ALL {
                let words = Catalogue::of(language);
                let stands_for = SocketProxy::on_port(&systemd, port, &seen).unwrap();
                let told = stands_for.describe(&systemd, port, words);
                let is_named = matches!(stands_for, SocketProxy::SocketUnit(Some(_)));
                assert_eq!(is_named, expected != MIN_STATE_WIDTH, "{units:?}: {told}");
                assert!(!told.is_empty() && !told.contains('{'), "{told}");
                if language == Language::English {
                    assert!(told.contains(expected), "{units:?}: {told}");
                }
            }
            let other = Process { pid: 7, ..systemd };
            let bare = SocketProxy::on_port(&other, port, &seen);
            assert_eq!(bare, Some(SocketProxy::SocketUnit(None)), "not process 1");
        }
    }

    #[test]
    fn the_control_group_names_the_socket_unit_first() {
        use crate::model::opener::Openers;
        use std::sync::Arc;
        let (systemd, mut seen) = activated(&[("a.socket", &[(None, 22)])]);
        for (opener, expected) in [("ssh.socket", "ssh.socket"), ("init.scope", "a.socket")] {
            let key = seen.rows[0].socket.key();
            let opened = [(key, Arc::new(Unit::system(opener)))];
            seen.openers = Arc::new(Openers::new(opened));
            let found = SocketProxy::on_port(&systemd, 22, &seen).unwrap();
            assert_eq!(found, SocketProxy::SocketUnit(Some(Unit::system(expected))));
        }
    }
}
