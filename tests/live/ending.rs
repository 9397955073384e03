//! Whom the program refuses to end, against real processes. That it does end
//! others is tested on the screen.

use super::NOBODY;
use super::namespace::{LabNamespace, NotHere};
use super::other::Other;
use super::watch::{Watch, row};
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use std::net::TcpListener;
use std::process::Command;
use tcplens::control::ProcessControl;
use tcplens::control::pidfd::PidfdControl;
use tcplens::model::action::{ProcessTarget, SignalOutcome, SignalRefusal, TargetId};
use tcplens::model::signal::Signal;
use tcplens::source::SourceChoice;

pub(crate) fn is_refused_for_who_must_not_be_ended(
    namespace: &LabNamespace,
) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let mut control = PidfdControl::default();
    assert_eq!(
        control.acquire(TargetId(1), &any(1)),
        Err(SignalRefusal::Init)
    );
    let own = std::process::id();
    assert_eq!(
        control.acquire(TargetId(2), &any(own)),
        Err(SignalRefusal::OwnProcess)
    );

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let mut victim = Other::holding(listener, &mut Command::new("cat"));
    let target = target_of_listener(at);
    assert_eq!(target.pid, victim.0.id());
    // As root it could be ended.
    assert!(control.acquire(TargetId(3), &target).is_ok());
    control.release(TargetId(3));

    setgroups(&[]).unwrap();
    setgid(Gid::from_raw(NOBODY)).unwrap();
    setuid(Uid::from_raw(NOBODY)).unwrap();
    let refused = control.acquire(TargetId(4), &target);
    assert_eq!(refused, Err(SignalRefusal::NotPermitted { uid: Some(0) }));
    // What was not armed cannot be signalled.
    let outcome = control.signal(TargetId(4), Signal::Kill);
    assert_eq!(outcome, SignalOutcome::Refused(SignalRefusal::Gone));
    assert_eq!(victim.0.try_wait().unwrap(), None, "it lives");
    println!("refused: PID 1, the program itself, and root's process to uid {NOBODY}");
    Ok(())
}

/// Nothing but the number is looked at.
fn any(pid: u32) -> ProcessTarget {
    ProcessTarget {
        pid,
        ..ProcessTarget::default()
    }
}

/// The owner of a listener as the table shows it.
fn target_of_listener(at: std::net::SocketAddr) -> ProcessTarget {
    let mut watch = Watch::begin(SourceChoice::Auto);
    watch.until("the victim in the table", |seen| {
        let row = row(seen, at, None)?;
        let owner = seen.first_owner(&row)?;
        // Between its start and its exec it still has our name.
        (owner.name.as_str() == "cat").then(|| ProcessTarget::from_process(owner, row.socket.inode))
    })
}
