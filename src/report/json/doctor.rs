//! Available features, in the JSON contract: `doctor --json`.

use super::entry::{lossy_string, timestamp};
use super::{SCHEMA, write_escaped};
use crate::explain::catalogue::Catalogue;
use crate::explain::features::{Support, feature_reports};
use crate::explain::fixes::{Fix, fixes};
use crate::model::namespace::NamespaceScope;
use crate::model::observation::Observation;
use crate::model::privileges::ProbedCapabilities;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct DoctorDocument<'a> {
    schema: u32,
    tool: &'a str,
    host: String,
    taken_at: String,
    uid: u32,
    features: Vec<FeatureEntry>,
    advice: Vec<AdviceEntry>,
}

#[derive(Serialize)]
struct FeatureEntry {
    feature: &'static str,
    /// `full`, `partial` or `none`.
    support: &'static str,
    text: String,
    /// The privileges it lacks.
    lacks: Vec<&'static str>,
}

/// A sentence, or a command line to be typed.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum AdviceEntry {
    Text(String),
    Command(String),
}

/// Writes one document. The table must be one of all network namespaces.
///
/// # Errors
///
/// Those of the writer.
pub fn write(
    observation: &Observation,
    means: &ProbedCapabilities,
    words: &Catalogue,
    out: &mut dyn Write,
) -> io::Result<()> {
    let verdicts = feature_reports(observation, means, NamespaceScope::All);
    let features = verdicts.iter().map(|verdict| FeatureEntry {
        feature: verdict.feature.key(),
        support: match verdict.support {
            Support::Full => "full",
            Support::Partial => "partial",
            Support::Unavailable => "none",
        },
        text: verdict.sentence(words),
        lacks: verdict.lacks.iter().map(|one| one.word()).collect(),
    });
    let advice = fixes(&verdicts, means, words).into_iter();
    let document = DoctorDocument {
        schema: SCHEMA,
        tool: concat!("tcplens ", env!("CARGO_PKG_VERSION")),
        host: lossy_string(&observation.host),
        taken_at: timestamp(observation.time.wall_ms),
        uid: means.privileges.uid,
        features: features.collect(),
        advice: advice
            .map(|piece| match piece {
                Fix::Text(text) => AdviceEntry::Text(text),
                Fix::Command(line) => AdviceEntry::Command(line),
            })
            .collect(),
    };
    write_escaped(&document, out)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::model::action::AccessMode;
    use crate::model::close::CloseRefusal;
    use crate::model::privileges::{Privileges, ProcessHandleSupport};

    #[test]
    fn an_ordinary_user_gets_each_feature_with_what_it_lacks() {
        let means = ProbedCapabilities {
            privileges: Privileges {
                uid: 1000,
                ..Privileges::default()
            },
            access_mode: AccessMode::Full,
            process_handles: ProcessHandleSupport::Pidfd,
            close_support: Err(CloseRefusal::NotPermitted),
            program: "/usr/bin/tcplens".into(),
        };
        let words = Catalogue::of(Language::English);
        let mut out = Vec::new();
        write(&Observation::default(), &means, words, &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(document["schema"], SCHEMA);
        assert_eq!(document["uid"], 1000);
        let features = document["features"].as_array().unwrap();
        assert_eq!(features.len(), 8, "{features:?}");
        for feature in features {
            let support = feature["support"].as_str().unwrap();
            assert!(["full", "partial", "none"].contains(&support), "{feature}");
            assert!(!feature["text"].as_str().unwrap().is_empty(), "{feature}");
        }
        let closing = features.iter().find(|one| one["feature"] == "close");
        let closing = closing.unwrap_or_else(|| panic!("no feature `close`: {features:?}"));
        assert_eq!(closing["support"], "none");
        assert_eq!(closing["lacks"][0], "cap_net_admin");
    }
}
