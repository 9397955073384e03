//! Errors of the lab, each with a remedy.

use std::io;

/// Error of the lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The system gives no private network namespace.
    #[error(
        "the lab gets no network namespace of its own: cannot {operation} {path}: {error}; {}",
        namespace_advice(error)
    )]
    NoNamespace {
        /// Operation.
        operation: &'static str,
        /// Object of the action.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// Neither kind of device is available.
    #[error(
        "the lab gets no device to play the far end on: {tun}; {packet}; \
         a /dev/net/tun that may be opened, or the kernel's veth, would help"
    )]
    NoDevice {
        /// Reason why there is no TUN device.
        tun: Box<LabError>,
        /// Reason why there is no pair of devices either.
        packet: Box<LabError>,
    },
    /// An operation failed.
    #[error("lab: cannot {operation} {path}: {error}")]
    Io {
        /// Operation.
        operation: &'static str,
        /// Object of the action.
        path: String,
        /// The system's error.
        error: io::Error,
    },
    /// This process could reach a network. It must not continue.
    #[error("lab: refusing to send anything: {0}")]
    NotPrivate(String),
    /// A timeout of the lab.
    #[error("lab: waited in vain for {0}")]
    Timeout(String),
    /// The request does not fit the current state.
    #[error("{0}")]
    NotApplicable(&'static str),
    /// A process of the lab that was given a request has ended.
    #[error("lab: a process has ended")]
    HelperGone,
    /// Failure reported by a helper process.
    #[error("{0}")]
    Helper(String),
    /// More sockets than the processes may hold.
    #[error(
        "lab: {wanted} descriptors in each process are more than the {limit} it may have; \
         ask for more processes, or raise ulimit -n"
    )]
    TooMany {
        /// Number of descriptors that each process would hold.
        wanted: u64,
        /// Largest number that it may hold.
        limit: u64,
    },
}

impl LabError {
    /// Wraps the system's error, for `map_err`.
    pub(super) fn io<E: Into<io::Error>>(
        operation: &'static str,
        path: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        move |error| Self::Io {
            operation,
            path: path.into(),
            error: error.into(),
        }
    }
}

/// Remedy for a refused namespace, user_namespaces(7).
fn namespace_advice(error: &io::Error) -> &'static str {
    const ENOSPC: i32 = 28;
    const EUSERS: i32 = 87;
    match error.raw_os_error() {
        Some(ENOSPC | EUSERS) => {
            "run it as root, or raise the sysctls user.max_user_namespaces and \
             user.max_net_namespaces"
        }
        _ => {
            "run it as root, or allow user namespaces (the sysctl \
             kernel.apparmor_restrict_unprivileged_userns=0, where there is one)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_one_line_that_helps() {
        let refused = |number| LabError::NoNamespace {
            operation: "unshare",
            path: "user and network".to_owned(),
            error: io::Error::from_raw_os_error(number),
        };
        let io = |path: &str| {
            let error = io::Error::from_raw_os_error(13);
            Box::new(LabError::io::<io::Error>("open", path)(error))
        };
        let cases = [
            (refused(28), "user.max_user_namespaces"),
            (refused(1), "kernel.apparmor_restrict_unprivileged_userns"),
            (refused(1), "run it as root"),
            (
                LabError::NoDevice {
                    tun: io("/dev/net/tun"),
                    packet: io("veth"),
                },
                "/dev/net/tun",
            ),
            (
                LabError::TooMany {
                    wanted: 9,
                    limit: 8,
                },
                "ulimit -n",
            ),
        ];
        for (error, help) in cases {
            let told = error.to_string();
            assert!(told.contains(help), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
}
