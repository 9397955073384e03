//! Selects the kernel interface for the table: the one that was requested, or
//! the best one available.

use super::proc_tables::ProcTables;
use super::sock_diag::SockDiag;
use super::{SocketSource, SocketTable, SourceChoice, SourceError};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::protocol::Protocol;
use crate::model::reading::SourceKind;
use crate::model::socket::Socket;
use rustix::io::Errno;
use std::io;
use std::path::Path;

/// Opens the source for the network namespace of the calling thread. `root` is
/// a folder with the `net` of that namespace.
///
/// # Errors
///
/// If the requested interface is unavailable. `Auto` falls back to `/proc`,
/// with the reason among the permanent gaps, and fails only when reading.
pub(super) fn open(
    choice: SourceChoice,
    root: &Path,
    namespace: u32,
    standing: &mut Vec<Gap>,
) -> Result<Box<dyn SocketSource>, SourceError> {
    Ok(match choice {
        SourceChoice::SockDiag => Box::new(SockDiag::open(namespace)?),
        SourceChoice::Proc => Box::new(ProcTables::new(root, namespace)),
        SourceChoice::Auto => open_auto(root, namespace, standing),
    })
}

/// `sock_diag` if it answers, else `/proc`, with the reason as a gap.
fn open_auto(root: &Path, namespace: u32, standing: &mut Vec<Gap>) -> Box<dyn SocketSource> {
    let proc = ProcTables::new(root, namespace);
    match SockDiag::open(namespace) {
        Ok(diag) => Box::new(SockDiagWithProcFallback {
            diag,
            proc,
            udp_fallback: None,
        }),
        Err(error) => {
            standing.push(Gap {
                reason: unavailable_reason(error.io()),
                ..fallback_gap(&error)
            });
            Box::new(proc)
        }
    }
}

/// Returns the reason why `sock_diag` is unavailable. A kernel without it and a
/// seccomp filter cannot be told apart: both choose their error freely.
fn unavailable_reason(error: &io::Error) -> GapReason {
    let refusals = [
        Errno::PERM,
        Errno::ACCESS,
        Errno::INVAL,
        Errno::NOSYS,
        Errno::PROTONOSUPPORT,
        Errno::AFNOSUPPORT,
        Errno::SOCKTNOSUPPORT,
        Errno::OPNOTSUPP,
        Errno::NOENT,
    ];
    let refused = Errno::from_io_error(error).is_some_and(|errno| refusals.contains(&errno));
    if refused {
        GapReason::SockDiagRefused
    } else {
        GapReason::from_io_error(error)
    }
}

fn fallback_gap(error: &SourceError) -> Gap {
    Gap {
        kind: GapKind::SourceFallback,
        count: 1,
        reason: GapReason::from_io_error(error.io()),
    }
}

/// `sock_diag`, with `/proc` for UDP where the kernel lacks `udp_diag`.
struct SockDiagWithProcFallback {
    diag: SockDiag,
    proc: ProcTables,
    /// Reason why UDP is read from `/proc`, once it is.
    udp_fallback: Option<Gap>,
}

impl SocketSource for SockDiagWithProcFallback {
    fn kind(&self) -> SourceKind {
        match self.udp_fallback {
            None => SourceKind::SockDiag,
            Some(_) => SourceKind::Mixed,
        }
    }

    fn include_tcp_counters(&mut self, wanted: bool) {
        self.diag.include_tcp_counters(wanted);
    }

    fn sock_diag(&mut self) -> Option<&mut SockDiag> {
        Some(&mut self.diag)
    }

    fn read(&mut self, room: Vec<Socket>) -> Result<SocketTable, SourceError> {
        let mut table = SocketTable::with_buffer(room);
        self.diag.read_protocol(Protocol::Tcp, &mut table)?;
        if self.udp_fallback.is_none()
            && let Err(error) = self.diag.read_protocol(Protocol::Udp, &mut table)
        {
            match GapReason::from_io_error(error.io()) {
                GapReason::Unsupported => self.udp_fallback = Some(fallback_gap(&error)),
                // A temporary error is no reason to change the source
                // permanently.
                reason => table.gaps.push(Gap {
                    kind: GapKind::TablesUnreadable,
                    count: 1,
                    reason,
                }),
            }
        }
        if let Some(gap) = self.udp_fallback {
            table.gaps.push(gap);
            if let Err(error) = self.proc.read_protocol(Protocol::Udp, &mut table) {
                table.gaps.push(Gap {
                    kind: GapKind::TablesUnreadable,
                    count: 1,
                    reason: GapReason::from_io_error(error.io()),
                });
            }
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_named_whatever_its_number() {
        // EPERM, EACCES, EINVAL, ENOSYS, EPROTONOSUPPORT, ESOCKTNOSUPPORT,
        // EAFNOSUPPORT.
        for number in [1, 13, 22, 38, 93, 94, 97] {
            let error = io::Error::from_raw_os_error(number);
            assert_eq!(
                unavailable_reason(&error),
                GapReason::SockDiagRefused,
                "{error}"
            );
        }
        let short = io::Error::from_raw_os_error(24);
        assert_eq!(unavailable_reason(&short), GapReason::DescriptorLimit);
        let other = io::Error::from_raw_os_error(12);
        assert_eq!(unavailable_reason(&other), GapReason::Failed);
    }
}
