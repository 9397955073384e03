//! Location, reading and writing of settings and baselines.
//!
//! Root reads only files that no one else could have written: those of root or
//! of the user who called sudo, which group and others may not change. Any
//! other is refused instead of skipped: a check that silently uses other rules
//! than the user expects would report "all well" wrongly.

mod folders;
mod reader;
mod reading;
mod writing;

use super::baseline;
use super::error::shown;
pub use super::error::{Distrust, FileError};
use super::notes::{Mistake, Mistakes};
use super::{Parsed, parse};
use crate::model::baseline::Baseline;
pub use reader::Reader;
use reading::{Content, dangles, read};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
pub use writing::{create, make_folder};

/// Location of the settings.
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

    fn is_usual(&self) -> bool {
        matches!(self, Self::Usual(_))
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

/// Contents of a settings file.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The settings and their warnings.
    pub parsed: Parsed,
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// Reason why the default file could not be looked for, if it could not.
    pub passed_over: Option<String>,
}

impl Loaded {
    fn nothing(passed_over: Option<String>) -> Self {
        Self {
            parsed: Parsed {
                settings: super::Settings::default(),
                warnings: Vec::new(),
            },
            path: None,
            passed_over,
        }
    }

    fn passing_over(error: &FileError) -> Self {
        Self::nothing(Some(format!("{error}; no settings are in force")))
    }

    /// Warnings, a line each.
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

/// True if a parent folder forbids even to look for the file: it belongs to
/// another user, as does `HOME` after su.
fn is_out_of_reach(path: &Path) -> bool {
    let looked = path.symlink_metadata();
    looked.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// Reads the settings; where there is no usual file they are as they usually are,
/// with a warning if it is not known whether there is one.
///
/// # Errors
///
/// If the file is there and cannot be read, is not to be trusted, or has
/// mistakes; if one that was named cannot be looked for; also if a link where the usual file should be leads nowhere.
pub fn load(place: &Place, reader: Reader) -> Result<Loaded, FileError> {
    let Some(path) = place.path() else {
        return Ok(Loaded::nothing(None));
    };
    let content = match read(path, reader) {
        Ok(content) => content,
        Err(error) if place.is_usual() && error.is(ErrorKind::NotFound) => {
            if dangles(path) {
                return Err(FileError::Dangling { path: shown(path) });
            }
            return Ok(Loaded::nothing(None));
        }
        // A folder that is a file, such as /dev/null, holds none.
        Err(error) if place.is_usual() && error.is(ErrorKind::NotADirectory) => {
            return Ok(Loaded::nothing(None));
        }
        Err(error) if place.is_usual() && is_out_of_reach(path) => {
            return Ok(Loaded::passing_over(&error));
        }
        Err(error) => return Err(error),
    };
    let parsed = parse_content(&content).map_err(|mistakes| FileError::Wrong {
        path: shown(path),
        mistakes,
    })?;
    Ok(Loaded {
        parsed,
        path: Some(path.to_owned()),
        passed_over: None,
    })
}

/// Same as [`load`], but if the default file exists and is unreadable, the defaults
/// apply, with a warning. Not for plans that may do harm or report "all well": those
/// settings might forbid it.
///
/// # Errors
///
/// Those of [`load`], but for that one.
pub fn load_or_pass_over(place: &Place, reader: Reader) -> Result<Loaded, FileError> {
    load(place, reader).or_else(|error| {
        if place.is_usual() && error.is(ErrorKind::PermissionDenied) {
            return Ok(Loaded::passing_over(&error));
        }
        Err(error)
    })
}

fn parse_content(content: &Content) -> Result<Parsed, Mistakes> {
    let parsed = parse(&content.text);
    if !content.veiled {
        return parsed;
    }
    match parsed {
        Ok(parsed) => Ok(Parsed {
            warnings: parsed.warnings.into_iter().map(Mistake::veiled).collect(),
            ..parsed
        }),
        Err(Mistakes(all)) => Err(Mistakes(all.into_iter().map(Mistake::veiled).collect())),
    }
}

/// Reads a baseline.
///
/// # Errors
///
/// If the file cannot be read, is not to be trusted, or is none.
pub fn load_baseline(path: &Path, reader: Reader) -> Result<Baseline, FileError> {
    let content = read(path, reader)?;
    baseline::parse(&content.text).map_err(|reason| FileError::NoBaseline {
        path: shown(path),
        reason: if content.veiled {
            "why is not told to who may not read it".to_owned()
        } else {
            reason
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    const ANYBODY: Reader = Reader {
        root: false,
        invoker: None,
        folders: true,
    };

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

    #[test]
    fn a_home_that_is_no_folder_holds_no_settings() {
        let usual = Place::usual(None, Some(PathBuf::from("/dev/null")));
        let loaded = load(&usual, ANYBODY).unwrap();
        assert_eq!(loaded.warnings().count(), 0);
        let named = Place::Named(PathBuf::from("/dev/null/config.toml"));
        assert!(load(&named, ANYBODY).is_err());
    }

    #[test]
    fn a_usual_file_behind_a_broken_link_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("config.toml");
        symlink(folder.path().join("away"), &link).unwrap();
        for load in [load, load_or_pass_over] {
            let told = load(&Place::Usual(link.clone()), ANYBODY).unwrap_err();
            assert!(matches!(told, FileError::Dangling { .. }), "{told}");
        }
    }
}
