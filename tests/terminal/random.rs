//! Random keys, mouse reports, pastes, broken sequences and resizes: whatever
//! comes, the program lives and can be left.

use super::pty::Session;
use super::{start, tries, wait_for_table};
use std::time::{Duration, Instant};

/// Inputs of one program; every byte it writes is kept.
const INPUTS_PER_START: usize = 400;

/// Sizes of rows and columns that are special, besides random ones.
const SIZES: [(u16, u16); 8] = [
    (24, 80),
    (50, 200),
    (10, 40),
    (1, 1),
    (2, 300),
    (300, 500),
    (24, 1),
    (0, 0),
];

/// Keys that mean something, and sequences.
const WHOLE: [&[u8]; 22] = [
    b"\x1b[A",
    b"\x1b[B",
    b"\x1b[5~",
    b"\x1b[6~",
    b"\x1b[H",
    b"\x1b[F",
    b"\x1bOP",
    b"\x1b[15~",
    b"\x1b[20~",
    b"\x1b[3~",
    b"\x1b[Z",
    b"\x1b[1;5A",
    b"\x1b[I",
    b"\t",
    b"\r",
    b"\x7f",
    b"\x1b",
    b"\x15",
    b"state ",
    b"port:",
    b"not (",
    "浏览".as_bytes(),
];

/// SplitMix64: a test takes no library for so little.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = 1 + self.below(most);
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn size(&mut self) -> (u16, u16) {
        if self.below(2) == 0 {
            return SIZES[self.below(SIZES.len())];
        }
        let mut up_to = |limit| u16::try_from(1 + self.below(limit)).unwrap();
        (up_to(300), up_to(500))
    }

    /// An input without the keys that leave or stop the program.
    fn input(&mut self) -> Vec<u8> {
        let input = match self.below(12) {
            0..=4 => vec![b"/xmEbwKX*fFs<>Stuvleopn?am+-0123456789yc "[self.below(41)]],
            5..=7 => WHOLE[self.below(WHOLE.len())].to_vec(),
            8 => {
                let (button, column) = (self.below(130), self.below(300));
                format!("\x1b[<{button};{column};{}M", self.below(100)).into_bytes()
            }
            9 => {
                let most = [10, 300, 6000][self.below(3)];
                let end: &[u8] = if self.below(4) == 0 {
                    b""
                } else {
                    b"\x1b[201~"
                };
                [b"\x1b[200~", &self.bytes(most)[..], end].concat()
            }
            10 => [b"\x1b[", &self.bytes(12)[..]].concat(),
            _ => self.bytes(12),
        };
        let leaving = [b'q', 0x03, 0x1a, 0x1c];
        input
            .into_iter()
            .filter(|byte| !leaving.contains(byte))
            .collect()
    }
}

/// A program that only looks, until so many inputs were typed, the time is
/// over, or a random byte has left it. How many were typed.
fn one_start(random: &mut Random, until: Option<Instant>) -> u64 {
    let mut session: Session = start(&["--read-only"]);
    wait_for_table(&session);
    let mut typed = 0;
    for _ in 0..INPUTS_PER_START {
        if session.has_ended() || until.is_some_and(|until| Instant::now() > until) {
            break;
        }
        if random.below(10) == 0 {
            let (rows, columns) = random.size();
            session.set_size(rows, columns);
        }
        session.flood(&random.input());
        typed += 1;
    }
    session.set_size(24, 80);
    // A paste that never ends takes every other key, as long as they come.
    session.press_until_ended("\x03");
    let ended = session.ended();
    ended.assert_left_by_presses();
    typed
}

pub(crate) fn random_keys_and_resizes_leave_it_alive() {
    let seed = std::process::id().into();
    println!("seed {seed}");
    let mut random = Random(seed);
    let minutes = u64::from(tries(0, 4));
    let until = Instant::now() + Duration::from_mins(minutes);
    let (mut starts, mut typed) = (0, 0);
    while starts < 3 || Instant::now() < until {
        typed += one_start(&mut random, (minutes > 0).then_some(until));
        starts += 1;
    }
    println!("{typed} inputs in {starts} starts");
}
