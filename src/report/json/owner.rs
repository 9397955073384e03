//! The owners of a socket. The part shared by all sockets of a process is
//! serialized once: on a busy server it is most of the document.

use super::entry::{hexadecimal, is_utf8, lossy_string, non_utf8_hex, text, timestamp, user};
use super::write_escaped;
use crate::model::observation::Observation;
use crate::model::process::{Process, Program};
use foldhash::HashMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

#[derive(Serialize)]
pub(super) struct OwnerEntry {
    pid: u32,
    fds: Vec<u32>,
    #[serde(flatten)]
    facts: Option<Rc<RawOwnerFacts>>,
}

#[derive(Serialize)]
struct OwnerFacts<'a> {
    name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_bytes: Option<String>,
    exe: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exe_bytes: Option<String>,
    command: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_bytes: Option<Vec<String>>,
    user: Option<Cow<'a, str>>,
    unit: Option<Cow<'a, str>>,
    started_at: Option<String>,
}

/// The facts serialized as JSON.
#[derive(Serialize, Deserialize)]
struct RawOwnerFacts {
    name: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name_bytes: Option<Box<RawValue>>,
    exe: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exe_bytes: Option<Box<RawValue>>,
    command: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command_bytes: Option<Box<RawValue>>,
    user: Box<RawValue>,
    unit: Box<RawValue>,
    started_at: Box<RawValue>,
}

impl OwnerFacts<'_> {
    fn of<'a>(process: &'a Process, observation: &'a Observation) -> OwnerFacts<'a> {
        let exe = process.exe.as_ref().map(Program::display_path);
        let odd_command = process.command_line.iter().any(|word| !is_utf8(word));
        OwnerFacts {
            name: (!process.name.is_empty()).then(|| text(&process.name)),
            name_bytes: non_utf8_hex(&process.name),
            exe: exe.as_ref().map(lossy_string),
            exe_bytes: exe.as_ref().and_then(non_utf8_hex),
            command: process.command_line.iter().map(text).collect(),
            command_bytes: odd_command.then(|| {
                let words = process.command_line.iter();
                words.map(|word| hexadecimal(word.raw())).collect()
            }),
            user: user(process.uid, observation),
            unit: process.unit.as_ref().map(|unit| text(unit.text())),
            started_at: process
                .started_ms
                .map(|started| timestamp(started / 1000 * 1000)),
        }
    }

    fn to_raw(&self) -> Option<RawOwnerFacts> {
        let mut bytes = Vec::new();
        write_escaped(self, &mut bytes).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// By pid and start.
type OwnerFactsMap = HashMap<(u32, u64), Option<Rc<RawOwnerFacts>>>;

/// The facts that a document has written so far.
#[derive(Default)]
pub(super) struct OwnerFactsCache(RefCell<OwnerFactsMap>);

impl OwnerFactsCache {
    pub(super) fn owner(
        &self,
        process: &Process,
        fds: Vec<u32>,
        observation: &Observation,
    ) -> OwnerEntry {
        let identity = (process.pid, process.start_ticks);
        let mut known = self.0.borrow_mut();
        let written = || OwnerFacts::of(process, observation).to_raw().map(Rc::new);
        OwnerEntry {
            pid: process.pid,
            fds,
            facts: known.entry(identity).or_insert_with(written).clone(),
        }
    }
}
