//! The settings of a plan, read before anything else is done: with the rights
//! of the user who started the program, and none beyond.

use super::plan::{Own, Plan};
use crate::config::file::{
    FileError, Loaded, Place, Reader, load, load_baseline, load_or_pass_over,
};
use crate::explain::language::Language;
use crate::model::action::Policy;
use crate::model::baseline::Baseline;
use crate::model::event::EventsChoice;
use crate::monitor::{Thresholds, Wishes};
use crate::privilege;
use crate::run::{Invoker, RunError};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

/// Settings used by a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct Applied {
    pub(super) thresholds: Thresholds,
    pub(super) wishes: Wishes,
    pub(super) bell: bool,
    pub(super) language: Option<Language>,
    pub(super) events: EventsChoice,
}

/// Reads the files that the plan needs, and adapts the plan.
pub(super) fn apply(plan: &mut Plan, own: &Own) -> Result<Applied, RunError> {
    match plan {
        Plan::Live(live) => {
            let loaded = read(own)?;
            if loaded.parsed.settings.read_only {
                live.policy = Policy::Look;
            }
            Ok(applied(&loaded, own)?)
        }
        Plan::Check(_) => {
            let loaded = read_surely(own)?;
            Ok(applied(&loaded, own)?)
        }
        Plan::Kill(acting, ..) | Plan::Close(acting) => {
            let loaded = read_surely(own)?;
            if loaded.parsed.settings.read_only && !acting.order.dry_run {
                let file = loaded.path.as_deref().map(crate::config::shown);
                return Err(RunError::Refused(format!(
                    "nothing is ended or closed: read_only = true in {}",
                    file.unwrap_or_default()
                )));
            }
            Ok(speaking(loaded.parsed.settings.language))
        }
        Plan::Lab(_, watch) => apply(watch, own),
        Plan::List(_) | Plan::Explain(..) | Plan::ExplainSockets(..) | Plan::Doctor(..) => {
            Ok(speaking(language(own)?))
        }
        // These must not fail for settings that are wrong.
        Plan::Say(_) | Plan::Config(..) | Plan::SaveBaseline(_) => {
            Ok(speaking(language(own).ok().flatten()))
        }
    }
}

/// Nothing but the language.
fn speaking(language: Option<Language>) -> Applied {
    Applied {
        language,
        ..Applied::default()
    }
}

/// The language of the usual settings, where they can be read.
pub(super) fn usual_language() -> Option<Language> {
    language(&Own::default()).ok().flatten()
}

/// Returns the language of the settings, for a plan that needs no other. Only a
/// file that was named must exist and be valid: an error in settings that a
/// list does not use must not prevent it.
fn language(own: &Own) -> Result<Option<Language>, FileError> {
    match privilege::as_oneself(|| load_or_pass_over(&place(own), reader())) {
        Ok(loaded) => Ok(loaded.parsed.settings.language),
        Err(error) if own.config.is_some() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Reads the settings, and prints their warnings.
pub(super) fn read(own: &Own) -> Result<Loaded, FileError> {
    let loaded = privilege::as_oneself(|| load_or_pass_over(&place(own), reader()))?;
    warn(&loaded);
    Ok(loaded)
}

/// Same for plans that must not run without them.
fn read_surely(own: &Own) -> Result<Loaded, FileError> {
    let loaded = privilege::as_oneself(|| load(&place(own), reader()))?;
    warn(&loaded);
    Ok(loaded)
}

/// Warns about users missing in a baseline of tcplens 0.1.0, which has programs
/// only.
fn tell_of_missing_users(path: &Path, baseline: &Baseline) {
    let (count, path) = (baseline.without_user(), crate::config::shown(path));
    if count > 0 {
        let _ = writeln!(
            stderr(),
            "tcplens: {path} does not say the user of {count}: any user fits there; tcplens baseline save --force {path} renews it"
        );
    }
}

fn warn(loaded: &Loaded) {
    for warning in loaded.warnings() {
        // An error is ignored: the terminal may be closed.
        let _ = writeln!(stderr(), "tcplens: {warning}");
    }
}

/// Path of the settings.
pub(super) fn place(own: &Own) -> Place {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    match &own.config {
        Some(path) => Place::Named(path.clone()),
        None => Place::usual(folder("XDG_CONFIG_HOME"), folder("HOME")),
    }
}

fn reader() -> Reader {
    Reader {
        root: privilege::is_root(),
        invoker: number("SUDO_UID"),
        folders: privilege::powers().whole_machine,
    }
}

/// The user who called sudo, unless it is root.
pub(super) fn invoker() -> Option<Invoker> {
    let uid = number("SUDO_UID").filter(|uid| *uid != 0)?;
    privilege::is_root().then_some(Invoker {
        uid,
        gid: number("SUDO_GID")?,
    })
}

fn number(name: &str) -> Option<u32> {
    let value = std::env::var(name).ok()?;
    // The kernel takes this one for "unchanged" (setresuid(2)).
    value.parse().ok().filter(|id| *id != u32::MAX)
}

fn applied(loaded: &Loaded, own: &Own) -> Result<Applied, FileError> {
    let settings = &loaded.parsed.settings;
    let named = own.baseline.clone().or_else(|| loaded.baseline());
    let baseline: Option<Baseline> = named
        .as_ref()
        .map(|path| privilege::as_oneself(|| load_baseline(path, reader())))
        .transpose()?;
    if let (Some(path), Some(baseline)) = (&named, &baseline) {
        tell_of_missing_users(path, baseline);
    }
    Ok(Applied {
        thresholds: settings.thresholds.clone(),
        wishes: Wishes {
            rules: settings.rules.clone(),
            baseline,
            mutes: settings.mutes.clone(),
        },
        bell: settings.bell,
        language: settings.language,
        events: settings.events,
    })
}
