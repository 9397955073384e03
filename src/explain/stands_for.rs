//! Proxies that have a socket on behalf of another program: a container's
//! published port, a port forwarded into a cluster, a unit of systemd. Ending
//! the proxy is rarely intended, so the confirmation and the explanation name
//! its target and what to end instead.
//!
//! A process chooses its name and its command line. Values from them are parsed
//! as an address, a number or a plain word, or dropped, and the sentences name
//! their source.

use super::catalogue::Catalogue;
use super::sentence::fill;
use crate::model::process::Process;
use crate::model::text::Text;
use std::net::{IpAddr, SocketAddr};

/// Longest word taken from a command line, bytes.
const LONGEST: usize = 64;

/// The service or container behind a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandsFor {
    /// docker-proxy: a container's published port.
    Docker {
        /// Address of the container, if it is in the command line.
        container: Option<SocketAddr>,
        /// Port of this machine.
        host_port: Option<u16>,
    },
    /// rootlessport: a port of a rootless container.
    Rootless,
    /// pasta or slirp4netns: the whole network of a rootless container.
    Network,
    /// conmon: a container of podman or CRI-O, by its name or the start of its id.
    Conmon(Option<String>),
    /// `kubectl port-forward`: its target.
    Kubectl(Option<String>),
    /// systemd: a socket unit.
    SocketUnit,
}

impl StandsFor {
    /// Returns the target of a process; none if it is no such proxy.
    #[must_use]
    pub fn of(process: &Process) -> Option<Self> {
        let name = process.name.as_str();
        let arguments = &process.command;
        Some(match name {
            "docker-proxy" => {
                let address: Option<IpAddr> = value(arguments, "container-ip");
                let port: Option<u16> = value(arguments, "container-port");
                Self::Docker {
                    container: address
                        .zip(port)
                        .map(|(address, port)| SocketAddr::new(address, port)),
                    host_port: value(arguments, "host-port"),
                }
            }
            "rootlessport" | "rootlessport-ch" | "rootlessport-child" | "rootlesskit" => {
                Self::Rootless
            }
            "pasta" | "pasta.avx2" | "passt" | "passt.avx2" | "slirp4netns" => Self::Network,
            "conmon" => {
                let named = after(arguments, "-n").or_else(|| after(arguments, "--name"));
                let id = after(arguments, "-c").or_else(|| after(arguments, "--cid"));
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
                Self::Kubectl(target.and_then(plain))
            }
            "systemd" => Self::SocketUnit,
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
            Self::Rootless => "rootless",
            Self::Network => "network",
            Self::Conmon(Some(_)) => "conmon",
            Self::Conmon(None) => "conmon_bare",
            Self::Kubectl(Some(_)) => "kubectl",
            Self::Kubectl(None) => "kubectl_bare",
            Self::SocketUnit => "socket_unit",
        }
    }

    /// Every key.
    pub const KEYS: [&'static str; 9] = [
        "docker",
        "docker_bare",
        "rootless",
        "network",
        "conmon",
        "conmon_bare",
        "kubectl",
        "kubectl_bare",
        "socket_unit",
    ];

    /// Returns a sentence with the target and what to end instead. `port` is
    /// the local port of the socket.
    #[must_use]
    pub fn told(&self, process: &Process, port: u16, words: &Catalogue) -> String {
        let told = fill(words.closing("stands_for", self.key()), |place| {
            Some(match (place, self) {
                ("process", _) => process.name.to_string(),
                ("container", Self::Docker { container, .. }) => container.as_ref()?.to_string(),
                ("container", Self::Conmon(container)) => container.clone()?,
                ("target", Self::Kubectl(target)) => target.clone()?,
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
fn value<T: std::str::FromStr>(arguments: &[Text], name: &str) -> Option<T> {
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
fn after(arguments: &[Text], flag: &str) -> Option<String> {
    let mut words = arguments.iter().map(Text::as_str);
    words.find(|word| *word == flag)?;
    words.next().and_then(plain)
}

/// Returns a word that can stand in a command to copy; none if it is anything
/// else.
fn plain(word: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let good = !word.is_empty()
        && word.len() <= LONGEST
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
            command: command.split(' ').map(Text::from).collect(),
            ..Process::default()
        }
    }

    #[test]
    fn helpers_say_for_whom_they_stand() {
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
            let stands_for = StandsFor::of(&process).unwrap();
            let told = stands_for.told(&process, 7, words);
            assert!(told.contains(expected), "{command}: {told}");
            assert!(!told.contains("reboot"), "{told}");
            assert!(StandsFor::KEYS.contains(&stands_for.key()));
        }
    }

    #[test]
    fn others_stand_for_nobody() {
        for (name, command) in [
            ("nginx", "nginx -container-ip 172.17.0.2"),
            ("kubectl", "kubectl get pods"),
            ("systemd-resolve", "/lib/systemd/systemd-resolved"),
            ("", ""),
        ] {
            assert_eq!(StandsFor::of(&process(name, command)), None, "{name}");
        }
    }
}
