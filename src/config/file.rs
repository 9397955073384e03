//! Where settings and baselines lie, and reading and writing them.
//!
//! Root reads only what nobody else could have written: a file of root's or of
//! whoever called sudo, which group and others may not change. Anything else is
//! refused instead of passed over: a check that quietly goes by other rules than
//! a person believes in force says "all well" where it is not.

use super::baseline;
use super::error::shown;
pub use super::error::{Distrust, FileError};
use super::notes::Mistake;
use super::{Parsed, parse};
use crate::model::baseline::Baseline;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Longer files are not read, bytes.
const LONGEST: u64 = 4 << 20;

/// Where the settings are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file that was named: it must be there.
    Named(PathBuf),
    /// In the usual file, if there is one.
    Usual(PathBuf),
    /// No folder for settings is known.
    Nowhere,
}

impl Place {
    /// The file, if there can be one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Named(path) | Self::Usual(path) => Some(path),
            Self::Nowhere => None,
        }
    }

    /// The usual file, by the base directory specification: `XDG_CONFIG_HOME`
    /// counts where it is an absolute path, else `~/.config`.
    #[must_use]
    pub fn usual(config_home: Option<PathBuf>, home: Option<PathBuf>) -> Self {
        let absolute = |path: &PathBuf| path.is_absolute();
        let home = home.filter(absolute).map(|home| home.join(".config"));
        let folder = config_home.filter(absolute).or(home);
        folder.map_or(Self::Nowhere, |folder| {
            Self::Usual(folder.join("tcplens").join("config.toml"))
        })
    }
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Whether root does.
    pub root: bool,
    /// Who called sudo, if anybody did.
    pub invoker: Option<u32>,
}

impl Reader {
    /// Why a file with this owner and mode is not to be trusted.
    fn distrusts(self, owner: u32, mode: u32) -> Option<Distrust> {
        if !self.root {
            return None;
        }
        if owner != 0 && Some(owner) != self.invoker {
            return Some(Distrust::Owner(owner));
        }
        (mode & 0o022 != 0).then_some(Distrust::Mode(mode & 0o777))
    }
}

/// What a file of settings says.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The settings and what is odd about them.
    pub parsed: Parsed,
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// Why the usual file could not be looked for, if it could not.
    pub passed_over: Option<String>,
}

impl Loaded {
    /// What is odd, as lines.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let path = self.path.as_deref().map(shown).unwrap_or_default();
        let warnings = self.parsed.warnings.iter();
        let told = warnings.map(move |mistake: &Mistake| mistake.told(&path));
        self.passed_over.clone().into_iter().chain(told)
    }

    /// The file of the baseline, if one is named.
    #[must_use]
    pub fn baseline(&self) -> Option<PathBuf> {
        let named = self.parsed.settings.baseline.as_ref()?;
        let folder = self.path.as_deref().and_then(Path::parent);
        Some(folder.map_or_else(|| named.clone(), |folder| folder.join(named)))
    }
}

/// Reads the settings; where there is no usual file they are as they usually are.
/// So they are, with a warning, where that folder may not be looked into: who
/// became another user with `HOME` unchanged has no settings there.
///
/// # Errors
///
/// If the file cannot be read, is not to be trusted, or has mistakes.
pub fn load(place: &Place, reader: Reader) -> Result<Loaded, FileError> {
    let nothing = |passed_over| Loaded {
        parsed: Parsed {
            settings: super::Settings::default(),
            warnings: Vec::new(),
        },
        path: None,
        passed_over,
    };
    let Some(path) = place.path() else {
        return Ok(nothing(None));
    };
    let text = match read(path, reader) {
        Ok(text) => text,
        Err(FileError::Io { error, .. })
            if error.kind() == ErrorKind::NotFound && matches!(place, Place::Usual(_)) =>
        {
            return Ok(nothing(None));
        }
        Err(FileError::Io { error, path, .. })
            if error.kind() == ErrorKind::PermissionDenied && matches!(place, Place::Usual(_)) =>
        {
            let told = format!("cannot read {path}: {error}; no settings are in force");
            return Ok(nothing(Some(told)));
        }
        Err(error) => return Err(error),
    };
    let parsed = parse(&text).map_err(|mistakes| FileError::Wrong {
        path: shown(path),
        mistakes,
    })?;
    Ok(Loaded {
        parsed,
        path: Some(path.to_owned()),
        passed_over: None,
    })
}

/// Reads a baseline.
///
/// # Errors
///
/// If the file cannot be read, is not to be trusted, or is none.
pub fn load_baseline(path: &Path, reader: Reader) -> Result<Baseline, FileError> {
    let text = read(path, reader)?;
    baseline::parse(&text).map_err(|reason| FileError::NoBaseline {
        path: shown(path),
        reason,
    })
}

fn read(path: &Path, reader: Reader) -> Result<String, FileError> {
    let failed = |error| FileError::Io {
        operation: "read",
        path: shown(path),
        error,
    };
    // Before it is opened: opening a pipe would wait for ever.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(ErrorKind::InvalidInput.into()));
    }
    let file = File::open(path).map_err(failed)?;
    // Of what was opened, not of what has the name now.
    let facts = file.metadata().map_err(failed)?;
    if let Some(reason) = reader.distrusts(facts.uid(), facts.mode()) {
        return Err(FileError::Distrusted {
            path: shown(path),
            reason,
        });
    }
    if facts.len() > LONGEST {
        return Err(failed(ErrorKind::FileTooLarge.into()));
    }
    let mut text = String::new();
    file.take(LONGEST)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

/// Writes a file that only its owner may read. One that is there is replaced only
/// if that is wanted, and then as a whole.
///
/// # Errors
///
/// If it is there, or cannot be written.
pub fn create(path: &Path, text: &str, replace: bool) -> Result<(), FileError> {
    let failed = |error| FileError::Io {
        operation: "write",
        path: shown(path),
        error,
    };
    if !replace {
        return write_new(path, text).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => FileError::Exists {
                path: shown(path),
                hint: "",
            },
            _ => failed(error),
        });
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    write_new(&beside, text)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| {
            let _ = fs::remove_file(&beside);
            failed(error)
        })
}

/// Makes the folder of a file, for its owner alone.
///
/// # Errors
///
/// If that cannot be done.
pub fn make_folder(path: &Path) -> Result<(), FileError> {
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| FileError::Io {
        operation: "make",
        path: shown(folder),
        error,
    })
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    // Never through a link, and never over anything.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const ANYBODY: Reader = Reader {
        root: false,
        invoker: None,
    };

    #[test]
    fn root_reads_only_what_nobody_else_could_have_written() {
        let root = |invoker| Reader {
            root: true,
            invoker,
        };
        let cases = [
            (ANYBODY, 1000, 0o666, None),
            (root(None), 0, 0o644, None),
            (root(None), 1000, 0o600, Some(Distrust::Owner(1000))),
            (root(Some(1000)), 1000, 0o600, None),
            (root(Some(1000)), 1001, 0o600, Some(Distrust::Owner(1001))),
            (root(Some(1000)), 1000, 0o620, Some(Distrust::Mode(0o620))),
            (root(None), 0, 0o646, Some(Distrust::Mode(0o646))),
        ];
        for (reader, owner, mode, expected) in cases {
            let found = reader.distrusts(owner, 0o100_000 | mode);
            assert_eq!(found, expected, "{reader:?} {owner} {mode:o}");
        }
    }

    #[test]
    fn the_usual_place_follows_the_base_directories() {
        let path = |text: &str| Some(PathBuf::from(text));
        let cases = [
            (path("/c"), path("/home/u"), Some("/c/tcplens/config.toml")),
            (
                None,
                path("/home/u"),
                Some("/home/u/.config/tcplens/config.toml"),
            ),
            (
                path("c"),
                path("/home/u"),
                Some("/home/u/.config/tcplens/config.toml"),
            ),
            (None, None, None),
        ];
        for (config_home, home, expected) in cases {
            let place = Place::usual(config_home, home);
            assert_eq!(place.path(), expected.map(Path::new));
        }
    }

    #[test]
    fn files_are_private_and_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/file");
        make_folder(&path).unwrap();
        create(&path, "one", false).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = create(&path, "two", false);
        assert!(matches!(again, Err(FileError::Exists { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        create(&path, "two", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/nowhere/at/all", &link).unwrap();
        assert!(matches!(
            create(&link, "x", false),
            Err(FileError::Exists { .. })
        ));
    }

    #[test]
    fn what_is_no_file_of_text_is_told_in_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let reader = ANYBODY;
        let missing = folder.path().join("missing");
        assert!(load(&Place::Usual(missing.clone()), reader).is_ok());
        let binary = folder.path().join("binary");
        fs::write(&binary, b"\xff\xfe\0").unwrap();
        for path in [missing, binary, folder.path().to_owned()] {
            let told = load(&Place::Named(path), reader).unwrap_err().to_string();
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
}
