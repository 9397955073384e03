//! Programs that go by the path of another one, in a mount namespace that needs
//! no privileges.

use super::checks::Folder;
use super::namespace::{LabNamespace, NotHere, run_from_anybodys_folder};
use super::orders::order;
use super::other::Other;
use super::patience::wait_for;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

/// A program of the system that reads its input to the end.
fn known() -> PathBuf {
    fs::canonicalize("/usr/bin/sort").unwrap()
}

/// A process that holds the listener and runs another file under the path of a
/// known program; none where no user may make such a namespace.
fn impostor(listener: TcpListener, folder: &Folder) -> Result<Other, NotHere> {
    let copy = folder.path("copy");
    fs::copy(fs::canonicalize("/bin/cat").unwrap(), &copy).unwrap();
    let path = known();
    let path = path.to_str().unwrap();
    let script = format!("mount --bind {copy} {path} && exec {path}");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
    let mut other = Other::holding(listener, &mut command);
    let pid = other.0.id();
    let runs = wait_for("the impostor to begin, or to fail", || {
        let exe = fs::read_link(format!("/proc/{pid}/exe"));
        match other.0.try_wait().unwrap() {
            Some(_) => Some(false),
            None => exe.ok().filter(|exe| *exe == known()).map(|_| true),
        }
    });
    if runs {
        Ok(other)
    } else {
        let why = "no mount namespace without privileges".to_owned();
        Err(NotHere::NoNamespace(why))
    }
}

pub(crate) fn fits_no_baseline_and_is_told(_: &LabNamespace) -> Result<(), NotHere> {
    let folder = Folder::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = listener.local_addr().unwrap();
    let path = known();
    let path = path.to_str().unwrap();
    let nothing = folder.settings("nothing.toml", "");
    let mute = format!("[[mute]]\nrule = \"new_listener\"\nprogram = \"{path}\"\n");
    let mute = folder.settings("muted.toml", &mute);
    let baseline = folder.path("baseline.json");
    let check = |settings: &str| {
        format!("check --oneline --config {settings} --baseline {baseline} --for 2s")
    };

    let honest = Other::holding(listener, &mut Command::new(known()));
    order(&format!("baseline save {baseline}"), 0, &[": 1\n"]);
    let saved = fs::read_to_string(&baseline).unwrap();
    assert!(saved.contains(path), "{saved}");
    order(&check(&nothing), 0, &["0 findings"]);
    drop(honest);

    let _impostor = impostor(TcpListener::bind(end).unwrap(), &folder)?;
    let unlisted = format!("listens on tcp {end}: not in the baseline");
    order(&check(&nothing), 1, &[&unlisted]);
    // A mute by program does not cover it either.
    order(&check(&mute), 1, &[&unlisted]);
    if !run_from_anybodys_folder() {
        let odd = format!("runs another file as {path}");
        order(&check(&nothing), 1, &[&odd]);
    }
    order("list --json", 0, &["(in its own file system)"]);
    Ok(())
}
