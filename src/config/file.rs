//! Location, reading and writing of settings and baselines.
//!
//! Root reads only files that no one else could have written: those of root or
//! of the user who called sudo, which group and others may not change. Any
//! other is refused instead of skipped: a check that silently uses other rules
//! than the user expects would report "all well" wrongly.

mod content;
mod path_trust;
mod trust_policy;
mod write;

use super::baseline;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::error::path_text;
pub use super::error::{FileError, UntrustedReason};
use super::{ParsedSettings, parse};
use crate::model::baseline::Baseline;
use content::{FileContent, is_dangling, read};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
pub use trust_policy::TrustPolicy;
pub use write::{create, make_folder};

/// Location of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigPath {
    /// In a file that was named: it must be there.
    Named(PathBuf),
    /// In the usual file, if there is one.
    Default(PathBuf),
    /// No folder for settings is known.
    Unknown,
}

impl ConfigPath {
    /// The file, if there can be one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Named(path) | Self::Default(path) => Some(path),
            Self::Unknown => None,
        }
    }

    fn is_default(&self) -> bool {
        matches!(self, Self::Default(_))
    }

    /// The usual file, by the base directory specification: `XDG_CONFIG_HOME`
    /// counts where it is an absolute path, else `~/.config`.
    #[must_use]
    pub fn default_path(config_home: Option<PathBuf>, home: Option<PathBuf>) -> Self {
        let absolute = |path: &PathBuf| path.is_absolute();
        let home = home.filter(absolute).map(|home| home.join(".config"));
        let folder = config_home.filter(absolute).or(home);
        folder.map_or(Self::Unknown, |folder| {
            Self::Default(folder.join("tcplens").join("config.toml"))
        })
    }
}

/// Contents of a settings file.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedSettings {
    /// The settings and their warnings.
    pub parsed: ParsedSettings,
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// Reason why the default file could not be looked for, if it could not.
    pub skip_reason: Option<String>,
}

impl LoadedSettings {
    fn empty(skip_reason: Option<String>) -> Self {
        Self {
            parsed: ParsedSettings {
                settings: super::Settings::default(),
                warnings: Vec::new(),
            },
            path: None,
            skip_reason,
        }
    }

    fn skipped(error: &FileError) -> Self {
        Self::empty(Some(format!("{error}; no settings are in force")))
    }

    /// Warnings, a line each.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let path = self.path.as_deref().map(path_text).unwrap_or_default();
        let warnings = self.parsed.warnings.iter();
        let told = warnings.map(move |mistake: &Diagnostic| mistake.render(&path));
        self.skip_reason.clone().into_iter().chain(told)
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
fn is_inaccessible(path: &Path) -> bool {
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
pub fn load(place: &ConfigPath, reader: TrustPolicy) -> Result<LoadedSettings, FileError> {
    let Some(path) = place.path() else {
        return Ok(LoadedSettings::empty(None));
    };
    let content = match read(path, reader) {
        Ok(content) => content,
        Err(error) if place.is_default() && error.is(ErrorKind::NotFound) => {
            if is_dangling(path) {
                return Err(FileError::Dangling {
                    path: path_text(path),
                });
            }
            return Ok(LoadedSettings::empty(None));
        }
        // A folder that is a file, such as /dev/null, holds none.
        Err(error) if place.is_default() && error.is(ErrorKind::NotADirectory) => {
            return Ok(LoadedSettings::empty(None));
        }
        Err(error) if place.is_default() && is_inaccessible(path) => {
            return Ok(LoadedSettings::skipped(&error));
        }
        Err(error) => return Err(error),
    };
    let parsed = parse_content(&content).map_err(|mistakes| FileError::Invalid {
        path: path_text(path),
        mistakes,
    })?;
    Ok(LoadedSettings {
        parsed,
        path: Some(path.to_owned()),
        skip_reason: None,
    })
}

/// Same as [`load`], but if the default file exists and is unreadable, the defaults
/// apply, with a warning. Not for plans that may do harm or report "all well": those
/// settings might forbid it.
///
/// # Errors
///
/// Those of [`load`], but for that one.
pub fn load_or_skip(place: &ConfigPath, reader: TrustPolicy) -> Result<LoadedSettings, FileError> {
    load(place, reader).or_else(|error| {
        if place.is_default() && error.is(ErrorKind::PermissionDenied) {
            return Ok(LoadedSettings::skipped(&error));
        }
        Err(error)
    })
}

fn parse_content(content: &FileContent) -> Result<ParsedSettings, Diagnostics> {
    let parsed = parse(&content.text);
    if !content.is_hidden {
        return parsed;
    }
    match parsed {
        Ok(parsed) => Ok(ParsedSettings {
            warnings: parsed
                .warnings
                .into_iter()
                .map(Diagnostic::redacted)
                .collect(),
            ..parsed
        }),
        Err(Diagnostics(all)) => Err(Diagnostics(
            all.into_iter().map(Diagnostic::redacted).collect(),
        )),
    }
}

/// Reads a baseline.
///
/// # Errors
///
/// If the file cannot be read, is not to be trusted, or is none.
pub fn load_baseline(path: &Path, reader: TrustPolicy) -> Result<Baseline, FileError> {
    let content = read(path, reader)?;
    baseline::parse(&content.text).map_err(|reason| FileError::NoBaseline {
        path: path_text(path),
        reason: if content.is_hidden {
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

    const ANY_USER: TrustPolicy = TrustPolicy {
        is_root: false,
        invoker: None,
        checks_dirs: true,
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
            let place = ConfigPath::default_path(config_home, home);
            assert_eq!(place.path(), expected.map(Path::new));
        }
    }

    #[test]
    fn what_is_no_file_of_text_is_told_in_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let reader = ANY_USER;
        let missing = folder.path().join("missing");
        assert!(load(&ConfigPath::Default(missing.clone()), reader).is_ok());
        let binary = folder.path().join("binary");
        fs::write(&binary, b"\xff\xfe\0").unwrap();
        for path in [missing, binary, folder.path().to_owned()] {
            let told = load(&ConfigPath::Named(path), reader)
                .unwrap_err()
                .to_string();
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }

    #[test]
    fn a_home_that_is_no_folder_holds_no_settings() {
        let usual = ConfigPath::default_path(None, Some(PathBuf::from("/dev/null")));
        let loaded = load(&usual, ANY_USER).unwrap();
        assert_eq!(loaded.warnings().count(), 0);
        let named = ConfigPath::Named(PathBuf::from("/dev/null/config.toml"));
        assert!(load(&named, ANY_USER).is_err());
    }

    #[test]
    fn a_usual_file_behind_a_broken_link_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("config.toml");
        symlink(folder.path().join("away"), &link).unwrap();
        for load in [load, load_or_skip] {
            let told = load(&ConfigPath::Default(link.clone()), ANY_USER).unwrap_err();
            assert!(matches!(told, FileError::Dangling { .. }), "{told}");
        }
    }
}
