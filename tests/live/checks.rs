//! `tcplens check`, settings, rules of one's own and baselines as scripts use
//! them, on real sockets.

use super::NOBODY;
use super::namespace::{
    LabNamespace, NotHere, program, run_from_anybodys_folder, where_anybody_may_run_it,
};
use super::orders::order;
use super::patience::wait_for;
use serde_json::{Value, json};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use tempfile::TempDir;

/// A folder with a file of settings in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes settings that do not count where the tests themselves lie.
    pub(crate) fn settings(&self, name: &str, text: &str) -> String {
        self.write(name, &format!("{text}{}", own_mute()))
    }

    /// Writes a file; gives its path.
    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

/// The tests are an odd program where they run from a folder of everybody's.
fn own_mute() -> &'static str {
    if run_from_anybodys_folder() {
        "[[mute]]\nrule = \"odd_program\"\n"
    } else {
        ""
    }
}

/// A listener with so many connections to it, all held by this process.
pub(crate) struct Crowd {
    pub(crate) port: u16,
    _ends: Vec<TcpStream>,
    _listener: TcpListener,
}

impl Crowd {
    pub(crate) fn of(count: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let ends = (0..count).flat_map(|_| {
            let near = TcpStream::connect(at).unwrap();
            [near, listener.accept().unwrap().0]
        });
        Self {
            port: at.port(),
            _ends: ends.collect(),
            _listener: listener,
        }
    }
}

pub(crate) fn find_what_a_rule_says(_: &LabNamespace) -> Result<(), NotHere> {
    let folder = Folder::new();
    let crowd = Crowd::of(4);
    let rule = |count: u32| {
        format!(
            "[[rule]]\nname = \"too many\"\nfilter = \"state established and dport = :{}\"\n\
             count = {count}\nper = \"process\"\nfor = \"1s\"\n\
             text = \"{{process}} has {{count}}, more than {{limit}}\"\n",
            crowd.port
        )
    };
    let three = folder.settings("three.toml", &rule(3));
    let four = folder.settings("four.toml", &rule(4));
    let muted = format!("{}[[mute]]\nrule = \"too many\"\n", rule(3));
    let muted = folder.settings("muted.toml", &muted);
    let check = format!("check --for 3s --config {three}");
    let oneline = format!("{check} --oneline");
    let json = format!("{check} --json");
    let on_alarm = format!("{check} --fail-on alarm");
    let four = format!("check --for 3s --config {four}");
    let with_mute = format!("check --for 3s --config {muted}");
    let oneline_with_mute = format!("check --for 3s --oneline --config {muted}");
    let count = 1 + usize::from(run_from_anybodys_folder());
    let muted_in_all = format!("{count} muted");
    let figure = format!("muted={count};;");
    let said = order_together(&[
        (
            &check,
            1,
            &["1 finding in 3", "warn 1", "has 4, more than 3", "evidence"],
        ),
        (&oneline, 1, &["TCPLENS WARNING - 1 finding: "]),
        (&json, 1, &[]),
        (&on_alarm, 0, &["1 finding"]),
        (&four, 0, &["nothing found"]),
        (
            &with_mute,
            0,
            &["nothing found", &muted_in_all, "muted       live-", "has 4"],
        ),
        (
            &oneline_with_mute,
            0,
            &["TCPLENS OK - 0 findings | findings=0", &figure],
        ),
    ]);
    let line = &said[1];
    assert!(line.contains("| findings=1;; alarm=0;; warn=1;;"), "{line}");
    let value: Value = serde_json::from_str(&said[2]).unwrap();
    let found = &value["findings"][0];
    assert_eq!(found["rule"], json!("user_rule"));
    assert_eq!(found["name"], json!("too many"));
    assert_eq!(found["process"]["pid"], json!(std::process::id()));
    assert_eq!(
        found["evidence"]["count"],
        json!({"value": 4, "unit": "count"})
    );
    assert_eq!(value["counts"]["warn"], json!(1));
    Ok(())
}

pub(crate) fn tell_of_growth_and_end_early(_: &LabNamespace) -> Result<(), NotHere> {
    let folder = Folder::new();
    let _before = Crowd::of(5);
    let path = folder.settings(
        "config.toml",
        "[[rule]]\nname = \"grows\"\nfilter = \"state established\"\ngrowth = 5\nwithin = \"1m\"\n\
         severity = \"alarm\"\n",
    );
    // What was there has not grown.
    order(
        &format!("check --for 2s --config {path}"),
        0,
        &["nothing found"],
    );
    let nothing = folder.settings("nothing.toml", "");
    let words = format!("check --for 1h --oneline --config {nothing}");
    let mut none = start(&words);
    tables(&mut none, 2);
    let pid = rustix::process::Pid::from_child(&none);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let output = none.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    println!("$ tcplens {words}  (SIGTERM)\n{said}");
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.starts_with("TCPLENS UNKNOWN - watched "), "{said}");
    assert!(said.contains(" of 1 h, 0 findings"), "{said}");
    let words = format!("check --for 1h --config {path}");
    let mut check = start(&words);
    tables(&mut check, 2);
    let _more = Crowd::of(3);
    tables(&mut check, 2);
    let pid = rustix::process::Pid::from_child(&check);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = check.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    println!(
        "$ tcplens {words}  (SIGINT)\n{said}exit {:?}",
        output.status.code()
    );
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("grows: 6 more sockets within 1 min"),
        "{said}"
    );
    Ok(())
}

/// A finding that stood while was watched is told when it is over.
pub(crate) fn find_what_is_over(_: &LabNamespace) -> Result<(), NotHere> {
    let folder = Folder::new();
    let crowd = Crowd::of(9);
    let path = folder.settings(
        "over.toml",
        &format!(
            "[[rule]]\nname = \"was\"\nfilter = \"state established and dport = :{}\"\ncount = 5\n\
             [thresholds]\nclearing = \"1s\"\n",
            crowd.port
        ),
    );
    let mut check = start(&format!("check --for 8s --json --config {path}"));
    tables(&mut check, 2);
    drop(crowd);
    let output = check.wait_with_output().unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("over: {}", value["over"]);
    assert_eq!(value["findings"], json!([]), "{value}");
    assert_eq!(value["over"][0]["name"], json!("was"), "{value}");
    assert_eq!(output.status.code(), Some(1), "{value}");
    Ok(())
}

/// Gives orders that change nothing at the same time: each takes seconds of waiting.
fn order_together(orders: &[(&str, i32, &[&str])]) -> Vec<String> {
    thread::scope(|scope| {
        let running: Vec<_> = orders
            .iter()
            .map(|(words, code, told)| scope.spawn(|| order(words, *code, told)))
            .collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

pub(crate) fn start(words: &str) -> Child {
    command(words).stdout(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn command(words: &str) -> Command {
    let mut command = Command::new(program());
    command
        .args(words.split_whitespace())
        // Beginning a trace is a rest, too, and would be taken for a table.
        .args(["--events", "off"])
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Waits until a check has read so many more tables: it rests after each.
pub(crate) fn tables(check: &mut Child, count: u64) {
    let rests = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        value.and_then(|value| value.trim().parse::<u64>().ok())
    };
    let pid = check.id();
    wait_for("the check to listen for signals", || {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let mut names = tasks.filter_map(|task| {
            let path = task.ok()?.path().join("comm");
            fs::read_to_string(path).ok()
        });
        names.find(|name| name.trim() == "signals")
    });
    let first = rests(pid).unwrap();
    wait_for("tables", || rests(pid).filter(|now| *now >= first + count));
}

pub(crate) fn refuse_what_is_wrong(_: &LabNamespace) -> Result<(), NotHere> {
    let folder = Folder::new();
    order("check :443", 3, &["every socket", "[[rule]]"]);
    order("check -t", 3, &["every socket"]);
    order("check --for never", 3, &["between 1s and 24h"]);
    let broken = folder.write(
        "broken.toml",
        "[[rule]]\nname = \"mine\"\nfilter = \"state syn_snet\"\ncount = 5\n\
         [[rule]]\nname = \"other\"\nfilter = \":443\"\ncount = \"many\"\n",
    );
    let told = [
        "broken.toml:3:17: unknown state `syn_snet`; did you mean `syn_sent`?",
        "filter = \"state syn_snet\"\n                  ^^^^^^^^",
        "broken.toml:8:9: count must be a whole number",
        "2 mistakes",
    ];
    for command in ["check --for 1s", "kill :1 --yes", "config show", "list -tl"] {
        let error = if command.starts_with("check") { 3 } else { 2 };
        order(&format!("{command} --config {broken}"), error, &told);
    }
    order(
        "check --for 1s --config /nowhere/x.toml",
        3,
        &["cannot read /nowhere/x.toml"],
    );
    let odd = folder.write("odd.toml", "bel = true\n");
    let told = ["unknown key 'bel'; did you mean bell?", "nothing found"];
    order(&format!("check --for 1s --config {odd}"), 0, &told);
    let look = folder.write("look.toml", "read_only = true\n");
    order(
        &format!("kill :1 --yes --config {look}"),
        2,
        &["read_only = true in"],
    );
    order(
        &format!("close :1 --yes --config {look}"),
        2,
        &["read_only = true in"],
    );
    order(
        &format!("kill :1 --dry-run --config {look}"),
        1,
        &["no socket matches"],
    );
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(&odd, fs::Permissions::from_mode(0o666)).unwrap();
        let told = ["others may write it (mode 666)", "chmod go-w"];
        order(&format!("check --for 1s --config {odd}"), 3, &told);
    }
    Ok(())
}

pub(crate) fn miss_settings_that_are_somewhere(_: &LabNamespace) -> Result<(), NotHere> {
    let folder = Folder::new();
    let pipe = folder.path("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
    let told = ["pipe is not a regular file"];
    order(&format!("config show --config {pipe}"), 2, &told);
    // Where the usual file leads nowhere.
    fs::create_dir(folder.path("tcplens")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", folder.path("tcplens/config.toml")).unwrap();
    for words in ["check --for 1s", "kill :1 --yes", "close :1 --yes"] {
        let (code, said) = at_home(&folder, words, None);
        assert_eq!(code, Some(refused(words)), "{words}: {said}");
        assert!(
            said.contains("a link on the way to it leads nowhere"),
            "{said}"
        );
    }
    Ok(())
}

pub(crate) fn miss_settings_out_of_reach(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let folder = Folder::new();
    fs::create_dir(folder.path("tcplens")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", folder.path("tcplens/config.toml")).unwrap();
    // Where it may not be looked for.
    fs::set_permissions(folder.0.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let named = format!(
        "check --for 1s --config {}",
        folder.path("tcplens/config.toml")
    );
    let (code, said) = at_home(&folder, &named, Some(NOBODY));
    assert_eq!(code, Some(refused(&named)), "{said}");
    assert!(said.contains("Permission denied"), "{said}");
    for words in [
        "check --for 1s",
        "kill :1 --yes",
        "close :1 --yes",
        "config show",
    ] {
        let (code, said) = at_home(&folder, words, Some(NOBODY));
        assert_ne!(code, Some(refused(words)), "{words}: {said}");
        assert!(said.contains("no settings are in force"), "{said}");
    }
    // Where it is there, and may not be read.
    fs::set_permissions(folder.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = folder.path("tcplens/config.toml");
    fs::remove_file(&file).unwrap();
    fs::write(&file, "read_only = true\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    for words in ["check --for 1s", "kill :1 --yes", "close :1 --yes"] {
        let (code, said) = at_home(&folder, words, Some(NOBODY));
        assert_eq!(code, Some(refused(words)), "{words}: {said}");
        assert!(said.contains("Permission denied"), "{said}");
    }
    Ok(())
}

/// Exit code of a command that goes by settings and cannot read them.
fn refused(words: &str) -> i32 {
    if words.starts_with("check") { 3 } else { 2 }
}

/// Runs the program with this folder as that of the settings.
fn at_home(folder: &Folder, words: &str, uid: Option<u32>) -> (Option<i32>, String) {
    let elsewhere = tempfile::tempdir().unwrap();
    let program = where_anybody_may_run_it(&program(), elsewhere.path()).unwrap();
    let mut command = Command::new(program);
    command
        .args(words.split_whitespace())
        .env("XDG_CONFIG_HOME", folder.0.path())
        .env_remove("SUDO_UID")
        .stdin(Stdio::null());
    if let Some(uid) = uid {
        command.uid(uid);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    println!("$ tcplens {words}\n{said}exit {:?}", output.status.code());
    (output.status.code(), said)
}

pub(crate) fn hold_listeners_against_a_baseline(_: &LabNamespace) -> Result<(), NotHere> {
    let folder = Folder::new();
    let old = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = folder.path("baseline.json");
    order(&format!("baseline save {file}"), 0, &[": 1\n"]);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    order(
        &format!("baseline save {file}"),
        2,
        &["is there already", "--force"],
    );
    order(&format!("baseline save {file} --force"), 0, &[": 1\n"]);
    let nothing = folder.settings("nothing.toml", "");
    let check = format!("check --oneline --config {nothing} --baseline {file} --for");
    order(&format!("{check} 2s"), 0, &["0 findings"]);
    let new = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = new.local_addr().unwrap();
    let told = format!("listens on tcp {end}: not in the baseline");
    // And by the settings, from their own folder.
    let settings = folder.settings("config.toml", "baseline = \"baseline.json\"\n");
    let by_settings = format!("check --oneline --config {settings} --for 2s");
    let by_flag = format!("{check} 2s");
    order_together(&[(&by_flag, 1, &[&told]), (&by_settings, 1, &[&told])]);
    drop(new);
    let gone = old.local_addr().unwrap();
    drop(old);
    let told = format!("nobody listens on tcp {gone}");
    let seven = format!("{check} 7s");
    let on_info = format!("{check} 7s --fail-on info");
    order_together(&[(&seven, 0, &[&told, "info=1"]), (&on_info, 1, &[&told])]);
    let bad = folder.write(
        "bad.json",
        "{\"schema\":1,\"listeners\":[{\"port\":\"\u{1b}[31m\"}]}",
    );
    order(&format!("check --baseline {bad}"), 3, &["is no baseline"]);
    Ok(())
}

pub(crate) fn begin_and_show_settings(_: &LabNamespace) -> Result<(), NotHere> {
    let folder = Folder::new();
    let file = folder.path("deep/config.toml");
    order(&format!("config path --config {file}"), 0, &[&file]);
    order(
        &format!("config init --config {file}"),
        0,
        &["wrote", &file],
    );
    let mode = fs::metadata(Path::new(&file)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    order(
        &format!("config init --config {file}"),
        2,
        &["is there already"],
    );
    let shown = ["read_only = false", "# default", "scan_hosts = 25"];
    order(&format!("config show --config {file}"), 0, &shown);
    order("config path", 0, &["/nowhere/at/all/tcplens/config.toml"]);
    order("config show", 0, &["there is no file of settings"]);
    Ok(())
}
