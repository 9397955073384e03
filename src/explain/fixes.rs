//! Fixes for missing features: sentences, and command lines for a person to
//! type. Nothing here is ever executed.

use super::catalogue::Catalogue;
use super::features::{FeatureReport, Support};
use crate::model::privileges::{Capability, ProbedCapabilities};
use std::collections::BTreeSet;

/// A group that exists on most systems for users who may read logs.
const LOG_GROUP: &str = "adm";

/// A piece of advice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// A sentence.
    Text(String),
    /// A command line to type.
    Command(String),
}

/// The command that mounts `/proc`.
const MOUNT_PROC: &str = "mount -t proc proc /proc";

/// Returns the fixes for everything that these reports lack; empty if nothing
/// is missing, or nothing helps.
#[must_use]
pub fn fixes(
    verdicts: &[FeatureReport],
    means: &ProbedCapabilities,
    words: &Catalogue,
) -> Vec<Fix> {
    let lacks: BTreeSet<Capability> = verdicts
        .iter()
        .flat_map(|verdict| verdict.lacks.iter().copied())
        .collect();
    let say = |name: &str| {
        Fix::Text(
            words
                .ability("remedies", name)
                .replace("{group}", LOG_GROUP),
        )
    };
    let limited = verdicts
        .iter()
        .any(|verdict| verdict.support != Support::Full);
    if verdicts.iter().any(|verdict| verdict.message == "no_proc") {
        return vec![say("no_proc"), Fix::Command(MOUNT_PROC.to_owned())];
    }
    if limited && !means.privileges.is_machine_wide {
        return vec![say("rootless")];
    }
    if lacks.is_empty() {
        return Vec::new();
    }
    if means.privileges.uid == 0 {
        let added = lacks.iter().map(|one| {
            let name = one.word().trim_start_matches("cap_").to_uppercase();
            format!("--cap-add {name}")
        });
        let added: Vec<String> = added.collect();
        return vec![say("container"), Fix::Command(added.join(" "))];
    }
    let program = shell_quote(means.program.as_str());
    let names: Vec<&str> = lacks
        .iter()
        .filter(|one| **one != Capability::SysAdmin)
        .map(|one| one.word())
        .collect();
    let root = vec![say("sudo"), Fix::Command(format!("sudo {program}"))];
    if names.is_empty() {
        return root;
    }
    let group = vec![
        say("setcap"),
        // In this order: a new owner removes the capabilities again.
        Fix::Command(format!("sudo chown root:{LOG_GROUP} {program}")),
        Fix::Command(format!("sudo chmod 0750 {program}")),
        Fix::Command(format!("sudo setcap {}=ep {program}", names.join(","))),
    ];
    [root, group].concat()
}

/// A path as one word of a shell.
fn shell_quote(path: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+".contains(character);
    if !path.is_empty() && path.chars().all(plain) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_word() {
        assert_eq!(shell_quote("/usr/bin/tcplens"), "/usr/bin/tcplens");
        assert_eq!(shell_quote("/home/a b/x"), "'/home/a b/x'");
        assert_eq!(shell_quote("/a'b;c"), r"'/a'\''b;c'");
        assert_eq!(shell_quote(""), "''");
    }
}
