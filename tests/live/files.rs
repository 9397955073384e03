//! The files that are written and read: with whose rights, as whose, and that none
//! is left half written.

use super::NOBODY;
use super::namespace::{LabNamespace, NotHere, program, where_anybody_may_run_it};
use super::orders::order;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use tcplens::config::file::{ConfigPath, TrustPolicy, load, load_baseline};

/// Of a third user.
const STRANGER: u32 = 65533;

/// Runs a command line; gives the exit code and what was said.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    println!("{command:?}: {:?}\n{said}", output.status);
    (output.status.code(), said)
}

/// The program as sudo starts it for somebody.
fn by_sudo(words: &[&str], home: &Path) -> Command {
    let mut command = Command::new(program());
    let id = NOBODY.to_string();
    command.args(words);
    command.env("SUDO_UID", &id).env("SUDO_GID", &id);
    command.env("HOME", home).env_remove("XDG_CONFIG_HOME");
    command
}

fn facts(path: &Path) -> (u32, u32, u32) {
    let facts = fs::symlink_metadata(path).unwrap();
    (facts.uid(), facts.gid(), facts.mode() & 0o777)
}

fn owned(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
}

pub(crate) fn are_of_who_called_sudo(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let own = tempfile::tempdir().unwrap();
    owned(own.path(), NOBODY);
    let path = own.path().join("baseline.json");
    let text = path.to_str().unwrap();
    let save = |words: &[&str]| run(&mut by_sudo(words, own.path()));
    let (code, said) = save(&["baseline", "save", text]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(facts(&path), (NOBODY, NOBODY, 0o600));
    let (code, said) = save(&["baseline", "save", text]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("is there already"), "{said}");
    assert_eq!(save(&["baseline", "save", text, "--force"]).0, Some(0));
    assert_eq!(facts(&path), (NOBODY, NOBODY, 0o600));
    // Never through a link, with whosever rights.
    let link = own.path().join("link");
    let target = own.path().join("target");
    symlink(&target, &link).unwrap();
    let (code, _) = save(&["baseline", "save", link.to_str().unwrap()]);
    assert_eq!((code, target.exists()), (Some(2), false));
    // Where a folder is root's, the file is, too.
    let roots = tempfile::tempdir().unwrap();
    let path = roots.path().join("baseline.json");
    let (code, said) = save(&["baseline", "save", path.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(facts(&path), (0, 0, 0o600));

    let (code, said) = save(&["config", "init"]);
    assert_eq!(code, Some(0), "{said}");
    let settings = own.path().join(".config/tcplens/config.toml");
    assert_eq!(facts(&settings), (NOBODY, NOBODY, 0o600));
    for folder in [".config", ".config/tcplens"] {
        let folder = own.path().join(folder);
        assert_eq!(facts(&folder), (NOBODY, NOBODY, 0o700));
    }
    // And root goes by them.
    let (code, said) = save(&["config", "show"]);
    assert_eq!(code, Some(0), "{said}");
    let by = format!("# In force, by {}", settings.display());
    assert!(said.contains(&by), "{said}");
    Ok(())
}

pub(crate) fn say_nothing_of_what_is_hidden(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let closed = tempfile::tempdir().unwrap();
    fs::write(closed.path().join("there"), "").unwrap();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    owned(closed.path(), STRANGER);
    let place = |name: &str| closed.path().join(name).to_str().unwrap().to_owned();
    let open = tempfile::tempdir().unwrap();
    let copy = where_anybody_may_run_it(&program(), open.path()).unwrap();
    // As with file capabilities, by which tcplens may be installed for everybody.
    let capable = |name: &str| {
        let mut command = Command::new("setpriv");
        let user = NOBODY.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
        let capabilities = "+dac_read_search,+sys_ptrace";
        command.args(["--inh-caps", capabilities, "--ambient-caps", capabilities]);
        command.arg(&copy);
        command.args(["baseline", "save", &place(name)]);
        run(&mut command)
    };
    for name in ["there", "missing"] {
        let asked = place(name);
        let by_sudo = run(&mut by_sudo(&["baseline", "save", &asked], closed.path()));
        for (code, said) in [by_sudo, capable(name)] {
            assert_eq!(code, Some(2), "{said}");
            assert!(said.contains("Permission denied"), "{name}: {said}");
        }
    }
    Ok(())
}

/// No text of a file is told to who may not read it.
pub(crate) fn of_root_are_not_quoted_to_others(namespace: &LabNamespace) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shadow");
    let link = folder.path().join("config.toml");
    symlink(&file, &link).unwrap();
    let mine = TrustPolicy {
        is_root: true,
        invoker: None,
        checks_dirs: true,
    };
    let sudo = TrustPolicy {
        invoker: Some(NOBODY),
        ..mine
    };
    let texts = [
        "root:$6$secret:1::\n",
        "secret = 1\n",
        "[[rule]]\nname = \"x\"\nfilter = \"state secret\"\n",
        "bell = \"secret\"\n",
        "[[mute]]\nrule = \"secret\"\n",
    ];
    let told = |reader, place: &ConfigPath| match load(place, reader) {
        Ok(loaded) => loaded.warnings().collect::<Vec<_>>().join("\n"),
        Err(error) => error.to_string(),
    };
    for text in texts {
        fs::write(&file, text).unwrap();
        for place in [
            ConfigPath::Named(file.clone()),
            ConfigPath::Default(link.clone()),
        ] {
            let veiled = told(sudo, &place);
            assert!(!veiled.contains("secret"), "{veiled}");
            assert!(veiled.contains(": this is not understood"), "{veiled}");
            assert!(told(mine, &place).contains("secret"), "{text}");
        }
        let told = load_baseline(&file, sudo).unwrap_err().to_string();
        assert!(!told.contains("secret"), "{told}");
    }
    Ok(())
}

pub(crate) fn are_whole_or_not_there(_: &LabNamespace) -> Result<(), NotHere> {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    let path = folder.path().join("baseline.json");
    let save = format!("baseline save {}", path.display());
    let force = format!("{save} --force");
    for words in [&save, &force, "config init"] {
        let (code, said) = run(Command::new("sh")
            .args(["-c", "ulimit -f 0; exec \"$0\" $1"])
            .arg(program())
            .arg(words)
            .env("HOME", &home)
            .env_remove("XDG_CONFIG_HOME"));
        assert_eq!(code, Some(2), "{words}: {said}");
        assert!(said.contains("File too large"), "{words}: {said}");
        let left = files_below(folder.path());
        assert_eq!(left, Vec::<String>::new(), "{words}");
    }
    Ok(())
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}

pub(crate) fn are_not_read_where_others_could_exchange_them(
    namespace: &LabNamespace,
) -> Result<(), NotHere> {
    if !namespace.created_by_root() {
        return Err(NotHere::NoRoot);
    }
    let top = tempfile::tempdir().unwrap();
    let top = fs::canonicalize(top.path()).unwrap();
    let file = |folder: &str, mode: u32, owner: u32| {
        let folder = top.join(folder);
        fs::create_dir(&folder).unwrap();
        let file = folder.join("config.toml");
        fs::write(&file, "read_only = true\n").unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        owned(&folder, owner);
        file.to_str().unwrap().to_owned()
    };
    let good = file("good", 0o755, 0);
    let wide = file("wide", 0o777, 0);
    let theirs = file("theirs", 0o755, STRANGER);
    let invokers = file("invokers", 0o755, NOBODY);
    let show = |path: &str, code, said: &str| {
        order(&format!("--config {path} config show"), code, &[said]);
    };
    show(&good, 0, "read_only = true");
    let open = format!("others may write {}/wide on the way to it", top.display());
    show(&wide, 2, &open);
    let owner = format!("uid {STRANGER} owns {}/theirs on the way", top.display());
    show(&theirs, 2, &owner);
    show(&invokers, 2, &format!("uid {NOBODY} owns"));
    let words = ["--config", &invokers, "config", "show"];
    let (code, said) = run(&mut by_sudo(&words, &top));
    assert_eq!(code, Some(0), "{said}");
    // Neither does anything go on without them.
    order(&format!("--config {wide} kill :1 --yes"), 2, &[&open]);
    let check = format!("--config {wide} check --for 1s");
    order(&check, 3, &[&open]);
    let baseline = format!("check --for 1s --baseline {wide} --config {good}");
    order(&baseline, 3, &[&open]);
    Ok(())
}
