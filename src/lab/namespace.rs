//! A private network namespace: no packet leaves it.
//!
//! A [`LabNamespace`] is the proof that this process is in one. Every sender here
//! requires it, so nothing can be sent anywhere else.
//!
//! See `network_namespaces(7)`, `user_namespaces(7)`; the settings are those of
//! the kernel's `ip-sysctl` document.

use super::LabError;
use super::rtnetlink::RtnetlinkConfig;
use nix::sched::{CloneFlags, unshare};
use rustix::process::{getegid, geteuid};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt;

/// The namespace of this process.
const NETNS_LINK: &str = "/proc/thread-self/ns/net";

/// The devices that may be there: loopback, and the lab's own.
pub(super) const LAB_DEVICES: [&str; 3] = [
    "lo",
    super::device::DEVICE_NAME,
    super::device::PEER_DEVICE_NAME,
];

/// Settings that make waiting states last, hours instead of minutes, and do not
/// depend on the machine. Below `/proc/sys/net`.
const SYSCTLS: [(&str, &str); 11] = [
    // Some machines switch it off everywhere.
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv4/tcp_syn_retries", "127"),
    ("ipv4/tcp_synack_retries", "255"),
    ("ipv4/tcp_retries2", "255"),
    // Remnants of a killed lab end after a quarter of an hour.
    ("ipv4/tcp_orphan_retries", "15"),
    (FIN_TIMEOUT_SYSCTL, LONG_FIN_TIMEOUT_S),
    // Without cookies a request always leaves a row.
    ("ipv4/tcp_syncookies", "0"),
    // Each probe of the peer is answered.
    ("ipv4/tcp_invalid_ratelimit", "0"),
    ("ipv4/ip_local_port_range", "1024 65535"),
    ("core/somaxconn", "65535"),
];

/// Lifetime of an orphan in `FIN_WAIT_2`, in seconds.
pub(super) const FIN_TIMEOUT_SYSCTL: &str = "ipv4/tcp_fin_timeout";
/// A quarter of an hour.
pub(super) const LONG_FIN_TIMEOUT_S: &str = "900";

/// The private network namespace that this process is in.
#[derive(Clone, Debug)]
pub struct LabNamespace {
    host_id: u64,
    id: u64,
    created_by_root: bool,
}

impl LabNamespace {
    /// This machine's address in the network of silent addresses.
    pub const LOCAL_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 98, 0, 1);

    /// An address from which nothing ever comes back.
    #[must_use]
    pub fn silent_address(number: u16) -> Ipv4Addr {
        let [high, low] = number.wrapping_add(256).max(256).to_be_bytes();
        Ipv4Addr::new(10, 98, high, low)
    }

    /// Puts this process into a new namespace, with loopback and a network of
    /// silent addresses: as root at once, else as the root of a new user
    /// namespace.
    ///
    /// # Errors
    ///
    /// If the system refuses it, or this process has threads already, which
    /// may not enter a user namespace.
    pub fn enter() -> Result<Self, LabError> {
        let outside = current_netns_id()?;
        let by_root = geteuid().is_root() && unshare(CloneFlags::CLONE_NEWNET).is_ok();
        if !by_root {
            enter_user_namespace()?;
        }
        let namespace = Self::verified(outside, by_root)?;
        namespace.configure()?;
        Ok(namespace)
    }

    /// Verifies in a process started inside that it is not in the namespace
    /// where the program began, whose id is `host_id`.
    ///
    /// # Errors
    ///
    /// [`LabError::NotPrivate`] if it is, or has a device that is not the
    /// lab's.
    pub fn verify(outside: u64) -> Result<Self, LabError> {
        Self::verified(outside, false)
    }

    fn verified(outside: u64, by_root: bool) -> Result<Self, LabError> {
        let own = current_netns_id()?;
        if own == outside {
            let still = "this is the network namespace that the program began in";
            return Err(LabError::NotPrivate(still.to_owned()));
        }
        let path = "/proc/thread-self/net/dev";
        let devices = fs::read_to_string(path).map_err(LabError::io("read", path))?;
        match foreign_device(&devices) {
            None => Ok(Self {
                host_id: outside,
                id: own,
                created_by_root: by_root,
            }),
            Some(device) => Err(LabError::NotPrivate(format!(
                "{device} may lead out of this network namespace"
            ))),
        }
    }

    fn configure(&self) -> Result<(), LabError> {
        for (setting, value) in SYSCTLS {
            // Not every kernel has each of them, and some containers write
            // none; the states then last less.
            let _ = self.set_sysctl(setting, value);
        }
        let configuration = RtnetlinkConfig::open()?;
        configuration.set_loopback_up()?;
        configuration.add_address(
            RtnetlinkConfig::LOOPBACK,
            IpAddr::V4(Self::LOCAL_ADDRESS),
            32,
        )?;
        configuration.add_silent_network(Ipv4Addr::new(10, 98, 0, 0), 16, Self::LOCAL_ADDRESS)
    }

    /// Writes a setting of this namespace, named as below `/proc/sys/net`.
    pub(super) fn set_sysctl(&self, setting: &str, value: &str) -> Result<(), LabError> {
        debug_assert_ne!(self.id, self.host_id);
        let path = format!("/proc/sys/net/{setting}");
        fs::write(&path, value).map_err(LabError::io("write", path))
    }

    /// The number of the namespace that the program began in.
    #[must_use]
    pub fn host_id(&self) -> u64 {
        self.host_id
    }

    /// The number of this namespace, as in `net:[4026531840]`.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// True if this process created it as root, and may become any user in it.
    #[must_use]
    pub fn created_by_root(&self) -> bool {
        self.created_by_root
    }
}

fn current_netns_id() -> Result<u64, LabError> {
    let read = fs::metadata(NETNS_LINK).map_err(LabError::io("read", NETNS_LINK))?;
    Ok(read.ino())
}

/// Makes a user namespace with a network namespace, and the user its root.
fn enter_user_namespace() -> Result<(), LabError> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let refused = |operation, path: &str| {
        let path = path.to_owned();
        move |error: io::Error| LabError::NoNamespace {
            operation,
            path,
            error,
        }
    };
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
        .map_err(io::Error::from)
        .map_err(refused("make", "a user and a network namespace"))?;
    // Without the first, an ordinary user may not write the third.
    for (file, text) in [
        ("/proc/self/setgroups", "deny".to_owned()),
        ("/proc/self/uid_map", format!("0 {uid} 1")),
        ("/proc/self/gid_map", format!("0 {gid} 1")),
    ] {
        fs::write(file, text).map_err(refused("write", file))?;
    }
    Ok(())
}

/// A device in the text of `/proc/net/dev` that is none of the lab's. Kernels
/// with tunnels built in put an idle one of each into every namespace.
fn foreign_device(devices: &str) -> Option<&str> {
    devices
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .filter(|name| !LAB_DEVICES.contains(name))
        .find(|name| !FALLBACK_TUNNELS.contains(name))
}

/// See `net.core.fb_tunnels_only_for_init_net`.
const FALLBACK_TUNNELS: [&str; 9] = [
    "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_leads_out_is_noticed() {
        let head = "Inter-|   Receive\n face |bytes packets\n";
        let cases = [
            ("    lo: 0 0\n", None),
            ("    lo: 0 0\n  lab0: 0 0\n  sit0: 0 0\n", None),
            ("    lo: 0 0\n  eth0: 0 0\n", Some("eth0")),
        ];
        for (lines, expected) in cases {
            assert_eq!(foreign_device(&format!("{head}{lines}")), expected);
        }
    }

    #[test]
    fn where_the_program_began_is_not_private() {
        let outside = current_netns_id().unwrap();
        let refused = LabNamespace::verify(outside).unwrap_err();
        assert!(matches!(refused, LabError::NotPrivate(_)), "{refused}");
    }

    #[test]
    fn silent_addresses_are_not_this_machines() {
        for number in [0, 1, 65279, 65535] {
            assert_ne!(
                LabNamespace::silent_address(number),
                LabNamespace::LOCAL_ADDRESS
            );
        }
    }
}
