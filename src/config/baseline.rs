//! A baseline as a file: the expected listeners, one a line, in JSON.

use crate::model::baseline::{Baseline, Listener, ListenerProgram};
use crate::model::mute::quote_basic;
use crate::model::observation::Observation;
use crate::model::protocol::Protocol;
use crate::model::text::{Text, is_deceptive};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

/// Version of the format.
const SCHEMA: u64 = 1;

#[derive(Deserialize)]
#[serde(expecting = "a baseline")]
struct BaselineFile {
    schema: u64,
    listeners: Vec<BaselineEntry>,
}

#[derive(Deserialize)]
struct BaselineEntry {
    protocol: String,
    address: String,
    port: u16,
    program: Option<String>,
    /// Not in files of tcplens 0.1.0.
    uid: Option<u32>,
}

/// Reads the text of a baseline.
///
/// # Errors
///
/// The reason why it is invalid, in one line that is safe to show.
pub fn parse(text: &str) -> Result<Baseline, String> {
    let file: BaselineFile = serde_json::from_str(text)
        .map_err(|error| Text::from(error.to_string().as_str()).to_string())?;
    if file.schema != SCHEMA {
        return Err(format!(
            "its schema is {}, this tcplens knows {SCHEMA}",
            file.schema
        ));
    }
    let listeners: Result<BTreeSet<Listener>, String> =
        file.listeners.into_iter().map(listener).collect();
    Ok(Baseline {
        listeners: listeners?,
    })
}

fn listener(entry: BaselineEntry) -> Result<Listener, String> {
    let protocol = match entry.protocol.as_str() {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        other => {
            return Err(format!(
                "protocol '{}' is not tcp or udp",
                Text::from(other)
            ));
        }
    };
    let address: IpAddr = entry
        .address
        .parse()
        .map_err(|_| format!("'{}' is not an address", Text::from(entry.address.as_str())))?;
    Ok(Listener {
        protocol,
        address,
        port: entry.port,
        program: entry.program.map_or(ListenerProgram::Unknown, |path| {
            ListenerProgram::File(Text::from(path.as_str()))
        }),
        uid: entry.uid,
    })
}

/// Writes the listeners of an observation.
#[must_use]
pub fn to_json(baseline: &Baseline, observation: &Observation) -> String {
    let saved = UNIX_EPOCH + Duration::from_millis(observation.time.wall_ms);
    let mut text = format!(
        "{{\"schema\":{SCHEMA},\"tool\":\"tcplens {}\",\"host\":{},\"saved_at\":\"{}\",\n \"listeners\":[",
        env!("CARGO_PKG_VERSION"),
        quote_basic(observation.host.as_str()),
        humantime::format_rfc3339_seconds(saved),
    );
    let mut separator = "\n  ";
    for listener in &baseline.listeners {
        let program = listener.program.path();
        let program = program.map_or_else(|| "null".to_owned(), json_string);
        let uid = listener.uid;
        let uid = uid.map_or_else(|| "null".to_owned(), |uid| uid.to_string());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{separator}{{\"protocol\":\"{}\",\"address\":\"{}\",\"port\":{},\"program\":{program},\"uid\":{uid}}}",
            listener.protocol.word(),
            listener.address,
            listener.port,
        );
        separator = ",\n  ";
    }
    text.push_str("]}\n");
    text
}

/// A path as a string of JSON that reads back as the same, and can be shown; one that
/// is no text as it is shown.
fn json_string(path: &Text) -> String {
    let raw = std::str::from_utf8(path.raw()).unwrap_or(path.as_str());
    let mut written = String::from("\"");
    for character in raw.chars() {
        match character {
            '"' | '\\' => written.extend(['\\', character]),
            _ if is_deceptive(character) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(written, "\\u{unit:04x}");
                }
            }
            _ => written.push(character),
        }
    }
    written.push('"');
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_listener()(
            tcp: bool,
            v6: bool,
            bits: u128,
            few: u32,
            port: u16,
            program: Option<String>,
            uid: Option<u32>,
        ) -> Listener {
            Listener {
                protocol: if tcp { Protocol::Tcp } else { Protocol::Udp },
                address: if v6 {
                    IpAddr::from(bits.to_be_bytes())
                } else {
                    IpAddr::from(few.to_be_bytes())
                },
                port,
                program: program.map_or(ListenerProgram::Unknown, |path| {
                    ListenerProgram::File(Text::new(path.as_bytes()))
                }),
                uid,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same(
            listeners in proptest::collection::btree_set(any_listener(), 0..20)
        ) {
            let baseline = Baseline { listeners };
            let text = to_json(&baseline, &Observation::default());
            let read = parse(&text).unwrap();
            prop_assert_eq!(read.listeners.len(), baseline.listeners.len());
            for listener in &baseline.listeners {
                prop_assert!(read.contains(listener), "{listener:?} in {text}");
            }
        }

        #[test]
        fn any_text_is_read_or_refused_in_a_line(text: String) {
            if let Err(reason) = parse(&text) {
                prop_assert_eq!(reason.lines().count(), 1);
            }
        }

        #[test]
        fn a_broken_baseline_is_read_or_refused_in_a_line(
            listeners in proptest::collection::btree_set(any_listener(), 1..5),
            place: prop::sample::Index,
            byte: u8,
        ) {
            let text = to_json(&Baseline { listeners }, &Observation::default());
            let mut bytes = text.into_bytes();
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let text = String::from_utf8_lossy(&bytes);
            if let Err(reason) = parse(&text) {
                prop_assert_eq!(reason.lines().count(), 1);
                prop_assert!(!reason.chars().any(crate::model::text::is_deceptive));
            }
        }
    }

    #[test]
    fn unusual_paths_round_trip() {
        for raw in [
            &b"/srv/a b"[..],
            b"/srv/a\\b",
            b"/srv/\x1b\"",
            b"/srv/\xff",
            "/srv/\u{455}a ".as_bytes(),
        ] {
            let program = ListenerProgram::File(Text::new(raw));
            let listener = Listener {
                protocol: Protocol::Tcp,
                address: IpAddr::from([0, 0, 0, 0]),
                port: 80,
                program,
                uid: Some(0),
            };
            let baseline = Baseline {
                listeners: BTreeSet::from([listener.clone()]),
            };
            let text = to_json(&baseline, &Observation::default());
            assert!(parse(&text).unwrap().contains(&listener), "{text}");
        }
    }

    #[test]
    fn a_baseline_without_users_is_read() {
        let old = r#"{"schema":1,"listeners":[
            {"protocol":"tcp","address":"0.0.0.0","port":80,"program":"/usr/sbin/nginx"},
            {"protocol":"tcp","address":"0.0.0.0","port":81,"program":null,"uid":33}]}"#;
        let baseline = parse(old).unwrap();
        assert_eq!(baseline.count_without_user(), 1);
    }

    #[test]
    fn an_invalid_baseline_is_refused_with_a_reason() {
        let cases = [
            ("", "EOF"),
            ("[]", "a baseline"),
            (r#"{"schema":2,"listeners":[]}"#, "schema is 2"),
            (
                r#"{"schema":1,"listeners":[{"protocol":"sctp","address":"::","port":1}]}"#,
                "not tcp or udp",
            ),
            (
                r#"{"schema":1,"listeners":[{"protocol":"tcp","address":"here","port":1}]}"#,
                "not an address",
            ),
            (
                r#"{"schema":1,"listeners":[{"protocol":"tcp","address":"::","port":70000}]}"#,
                "70000",
            ),
        ];
        for (text, expected) in cases {
            let reason = parse(text).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
