//! A tree that forks on all the time, ended as a whole: not one of its processes is left
//! over, however new it is.

use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tcplens::control::ProcessControl;
use tcplens::control::pidfd::PidfdControl;
use tcplens::model::action::{ProcessTarget, SignalOutcome, TargetId};
use tcplens::model::proc_stat::ProcStat;
use tcplens::model::signal::Signal;
use tcplens::model::text::Text;

/// Twelve shells of which each starts fourteen more processes, one after the other: 181
/// at most. None of them ends by itself in time, so that one left over is seen.
const STORM: &str = "\
begin() { i=0; while [ $i -lt 14 ]; do sleep 60 & sleep 0.02; i=$((i+1)); done; wait; }
k=0; while [ $k -lt 12 ]; do begin & k=$((k+1)); done; wait";
/// Number of processes of a storm at its height.
const WHOLE: usize = 181;
/// So many storms are ended; one may be over before it is, or not stand still in time on
/// a busy machine.
const STORMS: usize = 3;
const ATTEMPTS: usize = 12;

/// The first process of a PID namespace and a storm below it. All of them end with it.
struct Inside {
    outer: Child,
    namespace: PathBuf,
    first: u32,
}

impl Inside {
    fn begin() -> Result<Self, NotHere> {
        let script = format!("sh -c '{STORM}' & read x");
        let mut outer = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|_| NotHere::NoTool("unshare"))?;
        let pid = outer.id();
        let first = wait_for("the first process", || match outer.try_wait().unwrap() {
            Some(_) => Some(None),
            None => below(pid).first().map(|first| Some(*first)),
        });
        let Some(first) = first else {
            return Err(NotHere::NoNamespace("no PID namespace".to_owned()));
        };
        let namespace = fs::read_link(format!("/proc/{first}/ns/pid")).unwrap();
        Ok(Self {
            outer,
            namespace,
            first,
        })
    }

    /// The living processes of the namespace besides the first.
    fn others(&self) -> Vec<u32> {
        let inside = pids().filter(|pid| {
            let link = fs::read_link(format!("/proc/{pid}/ns/pid"));
            *pid != self.first && link.is_ok_and(|link| link == self.namespace)
        });
        inside
            .filter(|pid| stat(*pid).is_some_and(|stat| !stat.zombie))
            .collect()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        drop(self.outer.stdin.take());
        let _ = self.outer.wait();
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

fn stat(pid: u32) -> Option<ProcStat> {
    ProcStat::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn below(parent: u32) -> Vec<u32> {
    pids()
        .filter(|pid| stat(*pid).is_some_and(|stat| stat.parent_pid == parent))
        .collect()
}

pub(crate) fn is_ended_to_the_last_process(_: &LabNamespace) -> Result<(), NotHere> {
    let mut ended = 0;
    for attempt in 1..=ATTEMPTS {
        if ended == STORMS {
            break;
        }
        let inside = Inside::begin()?;
        let root = wait_for("the storm", || below(inside.first).first().copied());
        wait_for("much of it", || (inside.others().len() > 40).then_some(()));
        let found = stat(root).unwrap();
        let target = ProcessTarget {
            pid: root,
            start_ticks: found.start_ticks,
            name: Text::new(&found.name),
            ..ProcessTarget::default()
        };
        let (mut control, id) = (PidfdControl::default(), TargetId(1));
        control.acquire(id, &target).unwrap();
        let tree = control.signal_tree(id, Signal::Term);
        let SignalOutcome::Sent { .. } = tree.outcome else {
            println!("attempt {attempt}: {:?}", tree.outcome);
            continue;
        };
        assert!(control.wait_for_exit(id, Duration::from_secs(30)));
        let left = inside.others();
        println!(
            "attempt {attempt}: {} ended, left: {left:?}",
            tree.signalled
        );
        assert!(left.is_empty(), "{left:?} of {}", tree.signalled);
        assert!(tree.signalled <= WHOLE + 12, "{}", tree.signalled);
        ended += usize::from(tree.signalled < WHOLE);
    }
    assert!(ended > 0, "no storm was ended before its height");
    Ok(())
}
