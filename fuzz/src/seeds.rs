//! Seeds of mutations: the files of `corpus/TARGET`, and the words of
//! `dictionaries/TARGET.dict`.
//!
//! Dictionaries have the format of libFuzzer: `name="bytes"` or `"bytes"` a line, with
//! the escapes `\\`, `\"` and `\xAB`.

use std::fs;
use std::io;
use std::path::Path;

/// Seeds and words of one target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seeds {
    /// Whole inputs, and for texts their lines; at least one.
    pub(crate) inputs: Vec<Vec<u8>>,
    pub(crate) words: Vec<Vec<u8>>,
}

impl Seeds {
    /// Reads the seeds of a target from the folder that holds all of them.
    ///
    /// # Errors
    ///
    /// If there are none, or they cannot be read.
    pub(crate) fn read(folder: &Path, target: &str) -> io::Result<Self> {
        let corpus = folder.join("corpus").join(target);
        let mut paths: Vec<_> = fs::read_dir(&corpus)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .map_err(|error| at(&corpus, &error))?
            .iter()
            .map(fs::DirEntry::path)
            .collect();
        // Inputs are identified by their number, so their order must not depend on the
        // disk.
        paths.sort();
        let mut inputs = Vec::new();
        for path in paths {
            inputs.push(fs::read(&path).map_err(|error| at(&path, &error))?);
        }
        if inputs.is_empty() {
            return Err(io::Error::other(format!("{} is empty", corpus.display())));
        }
        let path = folder.join("dictionaries").join(format!("{target}.dict"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(at(&path, &error)),
        };
        let words = words(&text)
            .map_err(|line| io::Error::other(format!("{}, line {line}", path.display())))?;
        Ok(Self::new(inputs, words))
    }

    /// The files, and the lines of those that are texts.
    pub(crate) fn new(files: Vec<Vec<u8>>, words: Vec<Vec<u8>>) -> Self {
        let lines = files
            .iter()
            .filter(|file| file.is_ascii())
            .flat_map(|file| file.split_inclusive(|byte| *byte == b'\n'))
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>();
        Self {
            inputs: [files, lines].concat(),
            words,
        }
    }
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The words of a dictionary, or the number of the first bad line.
fn words(text: &str) -> Result<Vec<Vec<u8>>, usize> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(at, line)| word(line).ok_or(at + 1))
        .collect()
}

fn word(line: &str) -> Option<Vec<u8>> {
    let (_, quoted) = line.split_once('"')?;
    let mut rest = quoted.trim_end().strip_suffix('"')?.as_bytes();
    let mut word = Vec::new();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let byte = match (first, behind) {
            (b'\\', [b'x', high, low, behind @ ..]) => {
                rest = behind;
                let digit = |byte: u8| char::from(byte).to_digit(16);
                u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?
            }
            (b'\\', [escaped @ (b'\\' | b'"'), behind @ ..]) => {
                rest = behind;
                *escaped
            }
            (b'\\', _) => return None,
            _ => *first,
        };
        word.push(byte);
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_has_the_format_of_libfuzzer() {
        let text = "# kinds\nend=\"\\x00\\xfF\"\n\n\"a\\\"b\\\\\"\n\"\"\n";
        let expected = [&b"\x00\xff"[..], b"a\"b\\", b""].map(<[u8]>::to_vec);
        assert_eq!(words(text), Ok(expected.to_vec()));
        assert_eq!(words("\n\"a\\n\""), Err(2));
        assert_eq!(words("open=\"a"), Err(1));
    }

    #[test]
    fn lines_of_texts_are_seeds_too() {
        let seeds = Seeds::new(vec![b"a\nb\n".to_vec(), vec![0xff, b'\n', 1]], Vec::new());
        let expected = [&b"a\nb\n"[..], b"\xff\n\x01", b"a\n", b"b\n"];
        assert_eq!(seeds.inputs, expected);
    }

    /// A target without seeds would only be thrown random bytes.
    #[test]
    fn every_target_has_seeds_and_every_seed_a_target() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let names = |sub: &str| {
            let entries = fs::read_dir(folder.join(sub)).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().path())
                .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
                .collect();
            names.sort();
            names
        };
        let mut targets: Vec<&str> = tcplens::fuzzing::TARGETS.iter().map(|t| t.name).collect();
        targets.sort_unstable();
        assert_eq!(names("corpus"), targets);
        for dictionary in names("dictionaries") {
            assert!(targets.contains(&dictionary.as_str()), "{dictionary}");
        }
        for target in targets {
            let seeds = Seeds::read(folder, target).unwrap();
            assert!(!seeds.inputs.is_empty());
        }
    }
}
