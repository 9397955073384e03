//! What can be seen and done here, in the JSON contract: `doctor --json`.

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
