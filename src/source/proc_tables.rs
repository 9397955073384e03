//! The `/proc/net` tables as a socket source: works on every kernel that has
//! `/proc`, but knows neither backlogs nor cookies nor interfaces.

use super::{SocketSource, SocketTable, SourceError, proc_net};
use crate::model::gap::{Gap, GapKind, GapReason};
use crate::model::protocol::Protocol;
use crate::model::reading::SourceKind;
use crate::model::socket::Socket;
use crate::model::socket_memory::SocketMemory;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Error for a file that is empty or holds something else.
const NO_TABLE: &str = "the file has no table in it";

/// Reads the tables below a proc file system.
pub(super) struct ProcTables {
    root: PathBuf,
    namespace: u32,
    buffer: Vec<u8>,
}

impl ProcTables {
    /// `root` is `/proc`, or a captured one in tests.
    pub(super) fn new(root: impl Into<PathBuf>, namespace: u32) -> Self {
        Self {
            root: root.into(),
            namespace,
            buffer: Vec::new(),
        }
    }

    /// Adds the sockets of one protocol to the table.
    ///
    /// # Errors
    ///
    /// If the IPv4 table can't be read. A missing IPv6 one is normal where
    /// IPv6 is switched off.
    pub(super) fn read_protocol(
        &mut self,
        protocol: Protocol,
        into: &mut SocketTable,
    ) -> Result<(), SourceError> {
        self.read_file(protocol.word(), protocol, into)?;
        let second = format!("{}6", protocol.word());
        match self.read_file(&second, protocol, into) {
            Err(error) if error.io().kind() != io::ErrorKind::NotFound => into.add_gap(Gap {
                kind: GapKind::TablesUnreadable,
                count: 1,
                reason: GapReason::from_io_error(error.io()),
            }),
            _ => {}
        }
        Ok(())
    }

    fn read_file(
        &mut self,
        name: &str,
        protocol: Protocol,
        into: &mut SocketTable,
    ) -> Result<(), SourceError> {
        let path = self.root.join("net").join(name);
        read_whole(&path, &mut self.buffer)
            .map_err(|error| SourceError::new("read", &path, error))?;
        let parsed = proc_net::parse_table(&self.buffer, protocol, self.namespace);
        // A kernel writes the heading even if there is no socket. Without it
        // the file is a substitute, or cut.
        if !parsed.has_heading && parsed.sockets.is_empty() {
            let error = io::Error::new(io::ErrorKind::InvalidData, NO_TABLE);
            return Err(SourceError::new("read", &path, error));
        }
        let mut drops = parsed.drops.iter().peekable();
        for (place, socket) in parsed.sockets.into_iter().enumerate() {
            into.sockets.push(socket);
            if let Some((_, count)) = drops.next_if(|(dropping, _)| *dropping == place) {
                into.add_memory(SocketMemory {
                    buffers: None,
                    drops: Some(*count),
                });
            }
        }
        if !parsed.has_heading {
            into.add_gap(Gap {
                kind: GapKind::TablesUnreadable,
                count: 1,
                reason: GapReason::Malformed,
            });
        }
        if parsed.malformed > 0 {
            into.add_gap(Gap {
                kind: GapKind::LinesMalformed,
                count: parsed.malformed,
                reason: GapReason::Malformed,
            });
        }
        Ok(())
    }
}

fn read_whole(path: &Path, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    File::open(path)?.read_to_end(buffer)?;
    Ok(())
}

impl SocketSource for ProcTables {
    fn kind(&self) -> SourceKind {
        SourceKind::Proc
    }

    fn read(&mut self, room: Vec<Socket>) -> Result<SocketTable, SourceError> {
        let mut table = SocketTable::with_buffer(room);
        let tcp = self.read_protocol(Protocol::Tcp, &mut table);
        let udp = self.read_protocol(Protocol::Udp, &mut table);
        match (tcp, udp) {
            (Err(error), Err(_)) => return Err(error),
            (Err(error), Ok(())) | (Ok(()), Err(error)) => table.add_gap(Gap {
                kind: GapKind::TablesUnreadable,
                count: 1,
                reason: GapReason::from_io_error(error.io()),
            }),
            (Ok(()), Ok(())) => {}
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "  sl  local_address rem_address   st tx_queue rx_queue\n";
    const LINE: &str =
        "   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 634 1\n";

    fn fixture(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("net")).unwrap();
        for (name, text) in files {
            std::fs::write(root.path().join("net").join(name), text).unwrap();
        }
        root
    }

    #[test]
    fn a_missing_ipv6_table_is_no_gap() {
        let root = fixture(&[("tcp", &format!("{HEADING}{LINE}")), ("udp", HEADING)]);
        let table = ProcTables::new(root.path(), 0).read(Vec::new()).unwrap();
        assert_eq!(table.sockets.len(), 1);
        assert_eq!(table.gaps, []);
    }

    #[test]
    fn a_missing_protocol_is_a_gap_and_nothing_at_all_an_error() {
        let root = fixture(&[("tcp", &format!("{HEADING}{LINE}"))]);
        let table = ProcTables::new(root.path(), 0).read(Vec::new()).unwrap();
        assert_eq!(table.gaps[0].kind, GapKind::TablesUnreadable);
        let empty = fixture(&[]);
        let error = ProcTables::new(empty.path(), 0)
            .read(Vec::new())
            .unwrap_err();
        assert!(error.to_string().contains("net/tcp"), "{error}");
    }

    type FixtureFiles<'f> = &'f [(&'f str, &'f str)];

    /// Tables as gVisor and WSL1 present them.
    #[test]
    fn a_file_without_a_table_is_unreadable() {
        let table = format!("{HEADING}{LINE}");
        let cut = [LINE, LINE].concat();
        let cases: [(FixtureFiles, usize, u64); 5] = [
            (&[("tcp", &table), ("udp", ""), ("tcp6", HEADING)], 1, 1),
            (
                &[
                    ("tcp", &table),
                    ("udp", HEADING),
                    ("tcp6", ""),
                    ("udp6", ""),
                ],
                1,
                2,
            ),
            (&[("tcp", &table), ("udp", "\n\n"), ("tcp6", "")], 1, 2),
            (&[("tcp", "not supported\n"), ("udp", HEADING)], 0, 1),
            (&[("tcp", &cut), ("udp", HEADING)], 2, 1),
        ];
        for (files, rows, missing) in cases {
            let root = fixture(files);
            let table = ProcTables::new(root.path(), 0).read(Vec::new()).unwrap();
            assert_eq!(table.sockets.len(), rows, "{files:?}");
            let unreadable = table.gaps.iter();
            let count: u64 = unreadable
                .filter(|gap| gap.kind == GapKind::TablesUnreadable)
                .inspect(|gap| assert_eq!(gap.reason, GapReason::Malformed, "{files:?}"))
                .map(|gap| gap.count)
                .sum();
            assert_eq!(count, missing, "{files:?}");
        }
        let empty = fixture(&[("tcp", ""), ("udp", ""), ("tcp6", ""), ("udp6", "")]);
        let error = ProcTables::new(empty.path(), 0).read(Vec::new());
        let error = error.unwrap_err().to_string();
        assert!(
            error.ends_with("net/tcp: the file has no table in it"),
            "{error}"
        );
    }

    #[test]
    fn a_broken_line_is_counted() {
        let text = format!("{HEADING}{LINE}   1: zzz\n");
        let root = fixture(&[("tcp", &text), ("udp", HEADING)]);
        let table = ProcTables::new(root.path(), 0).read(Vec::new()).unwrap();
        assert_eq!(table.sockets.len(), 1);
        assert_eq!(
            (table.gaps[0].kind, table.gaps[0].count),
            (GapKind::LinesMalformed, 1)
        );
    }
}
