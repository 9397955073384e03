//! Parser of `/proc/PID/stat`: the facts that identify a process.
//!
//! Pure, and shared by both edges: `source` shows a process, `control` verifies
//! its identity.

/// The fields used of `/proc/PID/stat` (proc(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcStat {
    /// `comm`, any bytes, at most 15.
    pub name: Vec<u8>,
    /// The parent's pid, 0 for none in this PID namespace.
    pub parent_pid: u32,
    /// Start time in clock ticks since boot (field 22).
    pub start_ticks: u64,
    /// True for a kernel thread.
    pub kernel_thread: bool,
    /// True if it has ended and waits to be reaped.
    pub zombie: bool,
    /// Its state's letter: `R` runs, `S` sleeps, `D` waits in the kernel, `T` is
    /// stopped, `t` stopped by a tracer, `Z` has ended.
    pub state: char,
}

impl ProcStat {
    /// True if it is stopped until it is continued.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }

    /// `PF_KTHREAD` in field 9.
    const PF_KTHREAD: u32 = 0x0020_0000;

    /// Parses the line; `None` if any field that is used is malformed.
    ///
    /// The name stands in parentheses and may contain any character, further
    /// parentheses included: it ends at the last one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let open = bytes.iter().position(|byte| *byte == b'(')?;
        let close = bytes.iter().rposition(|byte| *byte == b')')?;
        let name = bytes.get(open + 1..close)?.to_vec();
        let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let flags: u32 = fields.get(6)?.parse().ok()?;
        Some(Self {
            name,
            parent_pid: fields.get(1)?.parse().ok()?,
            start_ticks: fields.get(19)?.parse().ok()?,
            kernel_thread: flags & Self::PF_KTHREAD != 0,
            zombie: matches!(*fields.first()?, "Z" | "X"),
            state: fields.first()?.chars().next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &[u8] =
        b"812 (a) (b\n) S 811 812 812 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1";

    #[test]
    fn reads_names_that_look_like_the_format() {
        let stat = ProcStat::parse(STAT).unwrap();
        assert_eq!(stat.name, b"a) (b\n");
        assert_eq!((stat.parent_pid, stat.start_ticks), (811, 98765));
        assert!(!stat.kernel_thread && !stat.zombie);
        assert_eq!(stat.state, 'S');
    }

    proptest! {
        #[test]
        fn any_input_parses_without_panic(place in 0..STAT.len(), byte in any::<u8>(), cut in 0..STAT.len()) {
            let mut bytes = STAT.to_vec();
            bytes[place] = byte;
            let _ = ProcStat::parse(&bytes);
            let _ = ProcStat::parse(&bytes[..cut]);
        }
    }
}
