//! Available features, in the JSON contract: `doctor --json`.

use super::entry::{lossy, timestamp};
use super::{SCHEMA, write_guarded};
use crate::explain::ability::{Standing, verdicts};
use crate::explain::catalogue::Catalogue;
use crate::explain::remedy::{Advice, advice};
use crate::model::namespace::Scope;
use crate::model::observation::Observation;
use crate::model::powers::Means;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
struct Document<'a> {
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
    means: &Means,
    words: &Catalogue,
    out: &mut dyn Write,
) -> io::Result<()> {
    let verdicts = verdicts(observation, means, Scope::All);
    let features = verdicts.iter().map(|verdict| FeatureEntry {
        feature: verdict.ability.key(),
        support: match verdict.standing {
            Standing::Can => "full",
            Standing::Partly => "partial",
            Standing::Cannot => "none",
        },
        text: verdict.sentence(words),
        lacks: verdict.lacks.iter().map(|one| one.word()).collect(),
    });
    let advice = advice(&verdicts, means, words).into_iter();
    let document = Document {
        schema: SCHEMA,
        tool: concat!("tcplens ", env!("CARGO_PKG_VERSION")),
        host: lossy(&observation.host),
        taken_at: timestamp(observation.time.wall_ms),
        uid: means.powers.uid,
        features: features.collect(),
        advice: advice
            .map(|piece| match piece {
                Advice::Say(text) => AdviceEntry::Text(text),
                Advice::Type(line) => AdviceEntry::Command(line),
            })
            .collect(),
    };
    write_guarded(&document, out)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::model::action::Policy;
    use crate::model::closing::CloseRefusal;
    use crate::model::powers::{Naming, Powers};

    #[test]
    fn an_ordinary_user_gets_each_feature_with_what_it_lacks() {
        let means = Means {
            powers: Powers {
                uid: 1000,
                ..Powers::default()
            },
            policy: Policy::Act,
            naming: Naming::Surely,
            closing: Err(CloseRefusal::NotPermitted),
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
