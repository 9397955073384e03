//! Sockets registered with an instance of `io_uring`: they need no descriptor of
//! their own, so only the instance's `fdinfo` names them.

/// Target of the link of an instance's descriptor.
pub const FD_LINK_TARGET: &str = "anon_inode:[io_uring]";

/// The inodes of the sockets among the registered files in the content of
/// `/proc/PID/fdinfo/FD` (`io_uring_show_fdinfo` in `io_uring/fdinfo.c`): lines
/// such as `    0: socket:[450133]`. The kernel leaves them out while the
/// instance is busy.
pub fn registered_sockets(fdinfo: &[u8]) -> impl Iterator<Item = u32> {
    fdinfo.split(|byte| *byte == b'\n').filter_map(|line| {
        let (place, target) = std::str::from_utf8(line).ok()?.split_once(':')?;
        place.trim().parse::<u32>().ok()?;
        let inode = target.trim().strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_sockets_are_read() {
        let fdinfo = "pos:\t0\nSqThread:\t-1\nUserFiles:\t4\n    0: socket:[450133]\n\
            \x20   1: <none>\n    2: /tmp/socket:[9]\n   13: socket:[450135]\nUserBufs:\t0\n\
            x: socket:[1]\n 3: socket:[4294967296]\n";
        let found: Vec<u32> = registered_sockets(fdinfo.as_bytes()).collect();
        assert_eq!(found, [450_133, 450_135]);
        assert_eq!(registered_sockets(b"\xff: socket:[1]\n").count(), 0);
    }
}
