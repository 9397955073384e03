//! The settings of a plan, read before anything else is done: with the rights
//! of the user who started the program, and none beyond.

use super::plan::{Plan, UserFiles};
use crate::config::file::{
    ConfigPath, FileError, LoadedSettings, TrustPolicy, load, load_baseline, load_or_skip,
};
use crate::explain::language::Language;
use crate::model::action::AccessMode;
use crate::model::baseline::Baseline;
use crate::model::event::EventsMode;
use crate::monitor::{Thresholds, UserRules};
use crate::privilege;
use crate::run::{Invoker, RunError};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

/// Settings used by a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct AppliedSettings {
    pub(super) thresholds: Thresholds,
    pub(super) user_rules: UserRules,
    pub(super) bell: bool,
    pub(super) language: Option<Language>,
    pub(super) events_mode: EventsMode,
}

/// Reads the files that the plan needs, and adapts the plan.
pub(super) fn apply(plan: &mut Plan, own: &UserFiles) -> Result<AppliedSettings, RunError> {
    match plan {
        Plan::Live(live) => {
            let loaded = read(own)?;
            if loaded.parsed.settings.read_only {
                live.policy = AccessMode::ReadOnly;
            }
            Ok(apply_loaded(&loaded, own)?)
        }
        Plan::Check(_) => {
            let loaded = read_strict(own)?;
            Ok(apply_loaded(&loaded, own)?)
        }
        Plan::Kill(acting, ..) | Plan::Close(acting) => {
            let loaded = read_strict(own)?;
            if loaded.parsed.settings.read_only && !acting.options.dry_run {
                let file = loaded.path.as_deref().map(crate::config::path_text);
                return Err(RunError::Refused(format!(
                    "nothing is ended or closed: read_only = true in {}",
                    file.unwrap_or_default()
                )));
            }
            Ok(with_language_only(loaded.parsed.settings.language))
        }
        Plan::Lab(_, watch) => apply(watch, own),
        Plan::List(_) | Plan::Explain(..) | Plan::ExplainSockets(..) | Plan::Doctor(..) => {
            Ok(with_language_only(language(own)?))
        }
        // These must not fail for settings that are wrong.
        Plan::Print(_) | Plan::Config(..) | Plan::SaveBaseline(_) => {
            Ok(with_language_only(language(own).ok().flatten()))
        }
    }
}

/// Nothing but the language.
fn with_language_only(language: Option<Language>) -> AppliedSettings {
    AppliedSettings {
        language,
        ..AppliedSettings::default()
    }
}

/// The language of the usual settings, where they can be read.
pub(super) fn default_language() -> Option<Language> {
    language(&UserFiles::default()).ok().flatten()
}

/// Returns the language of the settings, for a plan that needs no other. Only a
/// file that was named must exist and be valid: an error in settings that a
/// list does not use must not prevent it.
fn language(own: &UserFiles) -> Result<Option<Language>, FileError> {
    match privilege::with_invoker_rights(|| load_or_skip(&config_path(own), trust_policy())) {
        Ok(loaded) => Ok(loaded.parsed.settings.language),
        Err(error) if own.config.is_some() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Reads the settings, and prints their warnings.
pub(super) fn read(own: &UserFiles) -> Result<LoadedSettings, FileError> {
    let loaded =
        privilege::with_invoker_rights(|| load_or_skip(&config_path(own), trust_policy()))?;
    warn(&loaded);
    Ok(loaded)
}

/// Same for plans that must not run without them.
fn read_strict(own: &UserFiles) -> Result<LoadedSettings, FileError> {
    let loaded = privilege::with_invoker_rights(|| load(&config_path(own), trust_policy()))?;
    warn(&loaded);
    Ok(loaded)
}

/// Warns about users missing in a baseline of tcplens 0.1.0, which has programs
/// only.
fn warn_missing_users(path: &Path, baseline: &Baseline) {
    let (count, path) = (
        baseline.count_without_user(),
        crate::config::path_text(path),
    );
    if count > 0 {
        let _ = writeln!(
            stderr(),
            "tcplens: {path} does not say the user of {count}: any user fits there; tcplens baseline save --force {path} renews it"
        );
    }
}

fn warn(loaded: &LoadedSettings) {
    for warning in loaded.warnings() {
        // An error is ignored: the terminal may be closed.
        let _ = writeln!(stderr(), "tcplens: {warning}");
    }
}

/// Path of the settings.
pub(super) fn config_path(own: &UserFiles) -> ConfigPath {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    match &own.config {
        Some(path) => ConfigPath::Named(path.clone()),
        None => ConfigPath::default_path(folder("XDG_CONFIG_HOME"), folder("HOME")),
    }
}

fn trust_policy() -> TrustPolicy {
    TrustPolicy {
        is_root: privilege::is_root(),
        invoker: number("SUDO_UID"),
        checks_dirs: privilege::current_privileges().is_machine_wide,
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

fn apply_loaded(loaded: &LoadedSettings, own: &UserFiles) -> Result<AppliedSettings, FileError> {
    let settings = &loaded.parsed.settings;
    let named = own.baseline.clone().or_else(|| loaded.baseline());
    let baseline: Option<Baseline> = named
        .as_ref()
        .map(|path| privilege::with_invoker_rights(|| load_baseline(path, trust_policy())))
        .transpose()?;
    if let (Some(path), Some(baseline)) = (&named, &baseline) {
        warn_missing_users(path, baseline);
    }
    Ok(AppliedSettings {
        thresholds: settings.thresholds.clone(),
        user_rules: UserRules {
            rules: settings.rules.clone(),
            baseline,
            mutes: settings.mutes.clone(),
        },
        bell: settings.bell,
        language: settings.language,
        events_mode: settings.events,
    })
}
