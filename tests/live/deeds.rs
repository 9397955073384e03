//! What a person is told before and after, with real servers of the kinds that
//! surprise: one listener in many hands, one that is started again, one that
//! has ended and lingers, one that does not listen to TERM, one that forks on.

use super::namespace::{LabNamespace, NotHere};
use super::other::Other;
use super::patience::wait_for;
use super::stage::Stage;
use nix::sched::{CloneFlags, setns, unshare};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use tcplens::model::proc_stat::ProcStat;

/// One process that holds the listener, and four below it that hold it, too.
const PREFORK: &str = "exec 3<&0; cat <&3 & cat <&3 & cat <&3 & cat <&3 & wait";

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    (listener, at)
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

/// The part of a screen that tells of a deed.
fn from<'a>(screen: &'a str, word: &str) -> &'a str {
    screen.find(word).map_or("", |place| &screen[place..])
}

fn alive(pid: u32) -> bool {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok();
    stat.and_then(|stat| ProcStat::parse(&stat))
        .is_some_and(|stat| !stat.zombie)
}

fn below(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok();
        stat.and_then(|stat| ProcStat::parse(&stat))
            .is_some_and(|stat| stat.parent_pid == parent)
    })
    .collect()
}

pub(crate) fn on_a_prefork_server_tell_who_still_holds_its_port(
    _: &LabNamespace,
) -> Result<(), NotHere> {
    let (socket, at) = listener();
    let port = at.port();
    let server = Other::holding(socket, &mut shell(PREFORK));
    let pid = server.0.id();
    let mut stage = Stage::with(&format!(":{port}"), "sh +4");
    stage.press("K");
    let before = stage.screen();
    println!("prefork, before: {}", from(&before, "End sh"));
    assert!(before.contains(&format!("End sh (pid {pid})?")), "{before}");
    assert!(before.contains("! 4 other processes hold its sockets too: cat"));
    assert!(before.contains("The ports do not become free until all have ended."));
    assert!(before.contains("Below it in all: 4. They are not ended with it"));
    // Of the tree nothing is sent before the number is typed.
    stage.press("t y Enter");
    let asked = stage.screen();
    println!("prefork, its tree: {}", from(&asked, "End sh"));
    assert!(asked.contains("and all 4 below it?") && asked.contains("First type 5:"));
    assert!(alive(pid) && below(pid).len() == 4);
    let workers = below(pid);
    stage.press("t y");
    let after = stage.until("and 3 more.");
    println!("prefork, after: {}", from(&after, "sh (pid"));
    assert!(after.contains(&format!("Port {port} is still held by cat (pid")));
    assert!(
        workers.iter().all(|pid| alive(*pid)),
        "nothing below was sent anything"
    );
    drop(server);

    let (socket, at) = listener();
    let port = at.port();
    let mut server = Other::holding(socket, &mut shell(PREFORK));
    let pid = server.0.id();
    let mut stage = Stage::with(&format!(":{port}"), "sh +4");
    let workers = below(pid);
    stage.press("K t 5 y");
    let after = stage.until(&format!("Port {port} is free."));
    println!("prefork, its tree, after: {}", from(&after, "sh (pid"));
    assert!(after.contains("and 4 below it ended"), "{after}");
    assert!(!workers.iter().any(|pid| alive(*pid)));
    assert_eq!(server.0.wait().unwrap().signal(), Some(15));
    Ok(())
}

pub(crate) fn name_who_takes_the_port_again(_: &LabNamespace) -> Result<(), NotHere> {
    let (socket, at) = listener();
    let port = at.port();
    let mut server = Other::holding(socket, &mut Command::new("cat"));
    let mut stage = Stage::with(&format!(":{port}"), "cat");
    stage.press("K");
    println!("respawner, before: {}", from(&stage.screen(), "End cat"));
    stage.press("y");
    let ended = stage.until(&format!("Port {port} is free."));
    println!("respawner, after: {}", from(&ended, "cat (pid"));
    server.0.wait().unwrap();
    // This test is the one who starts it again.
    let again = TcpListener::bind(at).unwrap();
    let again = Other::holding(again, &mut Command::new("cat"));
    let (pid, own) = (again.0.id(), std::process::id());
    let taken = stage.until(&format!(
        "Port {port} is taken again by cat (pid {pid}), a new process."
    ));
    println!("respawner, later: {}", from(&taken, "Port"));
    assert!(
        taken.contains(&format!("(pid {own}): end that one first")),
        "{taken}"
    );
    Ok(())
}

pub(crate) fn on_a_zombie_tell_who_must_take_note_of_it(_: &LabNamespace) -> Result<(), NotHere> {
    let (socket, at) = listener();
    let mut server = Other::holding(socket, &mut Command::new("cat"));
    let pid = server.0.id();
    let mut stage = Stage::with(&format!(":{}", at.port()), "cat");
    // It ends after the table was read, and nobody reaps it.
    server.0.kill().unwrap();
    wait_for("a zombie", || (!alive(pid)).then_some(()));
    stage.press("K");
    let told = stage.screen();
    println!("zombie: {}", from(&told, "cat (pid"));
    assert!(
        told.contains(&format!("cat (pid {pid}) has ended already")),
        "{told}"
    );
    let own = std::process::id();
    assert!(
        told.contains(&format!("({own}) to take note of it")),
        "{told}"
    );
    assert!(!told.contains("TERM"), "no key sends anything");
    stage.press("y Enter Down y");
    assert!(stage.screen().contains("has ended already"));
    Ok(())
}

pub(crate) fn on_a_stubborn_process_offer_kill_and_wait(_: &LabNamespace) -> Result<(), NotHere> {
    let (socket, at) = listener();
    let port = at.port();
    let mut server = Other::holding(socket, &mut shell("trap '' TERM; exec cat"));
    let pid = server.0.id();
    let mut stage = Stage::with(&format!(":{port}"), "cat");
    stage.press("K y");
    let told = stage.screen();
    println!("stubborn, after TERM: {}", from(&told, "cat (pid"));
    assert!(
        told.contains(&format!("cat (pid {pid}) still runs")),
        "{told}"
    );
    assert!(
        told.contains("K asks again about this same process"),
        "{told}"
    );
    // It never becomes more by itself.
    stage.look();
    stage.look();
    assert!(alive(pid));
    stage.press("K");
    assert!(stage.screen().contains(&format!("End cat (pid {pid})?")));
    stage.press("Down Enter");
    let told = stage.until(&format!("Port {port} is free."));
    println!("stubborn, after KILL: {}", from(&told, "cat (pid"));
    assert_eq!(server.0.wait().unwrap().signal(), Some(9));
    Ok(())
}

pub(crate) fn on_the_first_of_a_container_ask_for_its_number(
    namespace: &LabNamespace,
) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let (socket, at) = listener();
    let outside = fs::File::open("/proc/self/ns/pid").unwrap();
    unshare(CloneFlags::CLONE_NEWPID).unwrap();
    let mut first = Other::holding(socket, &mut Command::new("cat"));
    // Its other children, and its threads, belong where it is itself.
    setns(outside, CloneFlags::CLONE_NEWPID).unwrap();
    let pid = first.0.id();
    let mut stage = Stage::with(&format!(":{}", at.port()), "cat");
    stage.press("K y Enter");
    let told = stage.screen();
    println!("container: {}", from(&told, "End cat"));
    assert!(told.contains("The first process of a container"), "{told}");
    assert!(told.contains(&format!("First type {pid}:")), "{told}");
    assert!(alive(pid), "nothing was sent");
    let digits: Vec<String> = pid.to_string().chars().map(String::from).collect();
    // The first of a PID namespace is shielded from TERM unless it wants it.
    stage.press(&format!("{} Down Enter", digits.join(" ")));
    stage.until("ended");
    assert_eq!(first.0.wait().unwrap().signal(), Some(9));
    Ok(())
}

/// A tree in which processes are started and end all the time, at the longest
/// for about a minute.
const FORKING: &str = "exec 3<&0; cat <&3 & cat <&3 & (i=0; while [ $i -lt 20000 ]; do \
     i=$((i+1)); (: & (: & wait) & wait) & wait $!; done) & wait";
const FORKING_TREES: usize = 8;

pub(crate) fn on_a_forking_tree_leave_nobody(_: &LabNamespace) -> Result<(), NotHere> {
    let mut others = 0;
    for _ in 0..FORKING_TREES {
        let (socket, at) = listener();
        let mut server = Other::holding(socket, shell(FORKING).process_group(0));
        let group = server.0.id();
        let mut stage = Stage::with(&format!(":{}", at.port()), "sh");
        wait_for("the tree", || (in_group(group) >= 5).then_some(()));
        stage.press("K t");
        // The number that the question shows, of the tree as it was then.
        let asked = stage.screen();
        let number = from(&asked, "type ").split([' ', ':']).nth(1).unwrap();
        let digits: Vec<String> = number.chars().map(String::from).collect();
        stage.press(&digits.join(" "));
        stage.press("Down y");
        let told = stage.until("gone from the table.");
        assert!(told.contains("below it ended"), "{told}");
        server.0.wait().unwrap();
        let left = in_group(group);
        assert_eq!(left, 0, "nobody slipped away: {told}");
        let asked: usize = number.parse().unwrap();
        others += usize::from(!told.contains(&format!("and {} below it", asked - 1)));
    }
    println!("forking: {FORKING_TREES} trees ended, nobody left; {others} had changed meanwhile");
    Ok(())
}

/// How many processes of a group run.
fn in_group(group: u32) -> usize {
    let entries = fs::read_dir("/proc").unwrap();
    let belongs = |name: &str| {
        let stat = fs::read_to_string(format!("/proc/{name}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        let its = fields.nth(1)?;
        (state != "Z" && its == group.to_string()).then_some(())
    };
    entries
        .filter_map(|entry| belongs(entry.ok()?.file_name().to_str()?))
        .count()
}
