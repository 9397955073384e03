//! A rule of one's own on a real terminal: the line, the bell, the page and its
//! keys.

use super::pty::{Session, words};
use super::{PROGRAM, assert_restored, victim, wait_for_table};
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub(crate) fn a_rule_of_ones_own_rings_is_shown_and_leads_to_its_rows() {
    let (mut victim, port) = victim();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let rule = format!(
        "bell = true\n[[rule]]\nname = \"mine\"\nfilter = \"listen sport = :{port}\"\ncount = 0\n\
         severity = \"alarm\"\ntext = \"there is {{count}}\"\n"
    );
    fs::write(&path, rule).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let mut session = Session::start(PROGRAM, &["--config", path.to_str().unwrap()], &[]);
    wait_for_table(&session);
    session.wait_for_text("▲ there is 1");
    session.keys("F");
    session.wait_for_text(">ALARM");
    session.wait_for_text("A rule of your own: mine");
    session.keys("a");
    session.wait_for("no line under the header", |screen| {
        let words = words(screen);
        words.contains("(known)") && !words.contains("▲ there is 1")
    });
    session.keys("m");
    session.wait_for_text("Muted: 1");
    session.wait_for_text("[[mute]] rule = \"mine\"");
    session.keys("\r");
    session.wait_for_text(&format!("sport = :{port}"));
    session.wait_for_text(&format!("127.0.0.1:{port}"));
    session.keys("q");
    let ended = session.ended();
    assert_restored(&ended);
    let bells = ended.bytes.split(|byte| *byte == 7).count() - 1;
    assert_eq!(bells, 1, "once, when it began");
    victim.kill().unwrap();
    victim.wait().unwrap();
}
