//! Makes one input out of seeds: cuts, copies, splices, and changes of numbers, both as
//! the machine and as people write them.

use crate::random::Random;
use crate::seeds::Seeds;

/// Numbers at the edges of types, as text.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "00",
    "255",
    "256",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999",
    "0x7f",
    "1e308",
    "1e999",
    "NaN",
    "0.1",
];

/// Fragments that have broken text parsers before.
const FRAGMENTS: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b" ",
    b"\t",
    b"\x1b[2J",
    b"\x7f",
    b"\xff",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    "\u{80}".as_bytes(),
    "\u{9b}".as_bytes(),
    "\u{301}".as_bytes(),
    "\u{200d}".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{2028}".as_bytes(),
    "\u{feff}".as_bytes(),
    "浏".as_bytes(),
    "👩\u{200d}💻".as_bytes(),
    b"\"",
    b"'",
    b"\\",
    b"(",
    b")",
    b"%s",
    b"{}",
];

/// Longest run that a repetition makes.
const MAX_RUN: usize = 400;
/// Longest piece that is copied or cut within an input.
const MAX_PIECE: usize = 256;

/// Replaces the content of `input` with an input of at most `max_len` bytes.
pub(crate) fn make(random: &mut Random, seeds: &Seeds, max_len: usize, input: &mut Vec<u8>) {
    input.clear();
    if random.one_in(64) {
        let length = random.below(256);
        input.extend(std::iter::repeat_with(|| random.byte()).take(length));
    } else if let Some(seed) = random.pick(&seeds.inputs) {
        input.extend_from_slice(seed);
    }
    // Mostly a few: an input that is wrong everywhere is refused at its beginning.
    let times = 1 + if random.one_in(4) {
        random.below(24)
    } else {
        random.below(4)
    };
    for _ in 0..times {
        mutate(random, seeds, input);
    }
    input.truncate(max_len);
}

fn mutate(random: &mut Random, seeds: &Seeds, input: &mut Vec<u8>) {
    let at = random.below(input.len() + 1);
    match random.below(13) {
        0 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = random.byte();
            }
        }
        1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
        2 => {
            let end = piece(random, at, input.len());
            input.drain(at..end);
        }
        3 => {
            let copied = input[at..piece(random, at, input.len())].to_vec();
            insert(input, random.below(input.len() + 1), &copied);
        }
        4 | 5 => {
            let fragments = random.below(seeds.words.len() + FRAGMENTS.len() / 2);
            match seeds.words.get(fragments) {
                Some(word) => insert(input, at, word),
                None => insert(input, at, random.pick(FRAGMENTS).unwrap_or(&&b""[..])),
            }
        }
        6 => input.truncate(at),
        7 => {
            // The beginning of this one, the end of another.
            if let Some(other) = random.pick(&seeds.inputs) {
                input.truncate(at);
                input.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
        }
        8 => overwrite(random, input, at),
        9 => replace_number(random, input, at),
        10 => {
            if let Some(byte) = input.get(at).copied() {
                let run = vec![byte; random.below(MAX_RUN)];
                insert(input, at, &run);
            }
        }
        11 => {
            let other = random.below(input.len() + 1);
            if at < input.len() && other < input.len() {
                input.swap(at, other);
            }
        }
        _ => swap_lines(random, input),
    }
}

/// The end of a piece that begins at a place.
fn piece(random: &mut Random, from: usize, length: usize) -> usize {
    from + random.below((length - from).min(MAX_PIECE) + 1)
}

fn insert(input: &mut Vec<u8>, at: usize, what: &[u8]) {
    input.splice(at..at, what.iter().copied());
}

/// Overwrites bytes with a binary number, sometimes aligned: lengths, types and
/// counters of binary messages are such.
fn overwrite(random: &mut Random, input: &mut [u8], at: usize) {
    let at = if random.one_in(2) { at & !3 } else { at };
    let whole = u64::try_from(input.len()).unwrap_or(u64::MAX);
    let small = random.next() % 64;
    let number = match random.below(9) {
        0 => 0,
        1 => 1,
        2 => u64::MAX,
        3 => i64::MAX.unsigned_abs(),
        4 => 0x8000_0000,
        5 => 0x7fff_ffff,
        6 => whole.wrapping_add(small).wrapping_sub(32),
        7 => small,
        _ => random.next(),
    };
    let width = [1, 2, 4, 8][random.below(4)];
    let bytes = if random.one_in(4) {
        number.to_be().to_ne_bytes()
    } else {
        number.to_ne_bytes()
    };
    // The low end of the number, on either kind of machine.
    let bytes = if cfg!(target_endian = "big") {
        &bytes[8 - width..]
    } else {
        &bytes[..width]
    };
    for (into, byte) in input[at.min(saturating_usize(whole))..]
        .iter_mut()
        .zip(bytes)
    {
        *into = *byte;
    }
}

fn saturating_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Puts another number in the place of one that is written with digits.
fn replace_number(random: &mut Random, input: &mut Vec<u8>, at: usize) {
    let Some(from) = input[at..].iter().position(u8::is_ascii_digit) else {
        return;
    };
    let from = at + from;
    let digits = input[from..].iter().take_while(|b| b.is_ascii_digit());
    let to = from + digits.count();
    let number = random.pick(NUMBERS).unwrap_or(&"0");
    input.splice(from..to, number.bytes());
}

fn swap_lines(random: &mut Random, input: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = input
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let (one, other) = (random.below(lines.len()), random.below(lines.len()));
    if one != other {
        lines.swap(one, other);
        *input = lines.concat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(count: u64) -> Vec<Vec<u8>> {
        let seeds = Seeds::new(vec![b"port 80\nstate 1\n".to_vec()], vec![b"word".to_vec()]);
        let mut input = Vec::new();
        let made = |number| {
            make(&mut Random::new(7, number), &seeds, 600, &mut input);
            input.clone()
        };
        (0..count).map(made).collect()
    }

    #[test]
    fn an_input_is_told_by_its_number_and_none_is_too_long() {
        let made = inputs(20_000);
        assert_eq!(made, inputs(20_000));
        assert!(made.iter().all(|input| input.len() <= 600));
        assert!(made.iter().any(|input| input.len() == 600));
    }

    /// Each kind of mutation happens.
    #[test]
    fn words_numbers_and_fragments_are_among_the_inputs() {
        let made = inputs(20_000);
        let wanted: [&[u8]; 6] = [
            b"port word",
            b"port 18446744073709551616\n",
            b"state 1\nport 80\n",
            b"\x1b[2J",
            b"\xff\xff\xff\xff",
            b"oooooooooooooooooooooooo",
        ];
        for wanted in wanted {
            let holds = |input: &Vec<u8>| input.windows(wanted.len()).any(|part| part == wanted);
            assert!(made.iter().any(holds), "{}", wanted.escape_ascii());
        }
    }
}
