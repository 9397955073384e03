//! The use of a port as JSON, for what a server left behind, for a listener, and for a
//! port that nobody has.

use super::namespace::{LabNamespace, NotHere, program};
use super::patience::wait_for;
use serde_json::Value;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::Command;

/// What a command writes, and its exit code.
fn told(words: &str) -> (Value, Option<i32>) {
    let output = Command::new(program())
        .args(words.split(' '))
        .env("XDG_CONFIG_HOME", "/nowhere/at/all")
        .output()
        .unwrap();
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    println!("$ tcplens {words}\n{}", value["port"]);
    (value, output.status.code())
}

pub(crate) fn is_in_json(_: &LabNamespace) -> Result<(), NotHere> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (value, code) = told(&format!("list --json :{port}"));
    let found = &value["port"];
    assert_eq!(
        (found["verdict"].as_str(), code),
        (Some("listened"), Some(0))
    );
    assert_eq!(found["holders"][0]["pid"], std::process::id());
    assert_eq!(found["holders"][0]["local"][0]["address"], "127.0.0.1");
    // Another question is not about a port.
    let (value, _) = told(&format!("list --json :{port} and tcp"));
    assert_eq!(value.get("port"), None);

    // The server closes first, and is gone.
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    drop(listener.accept().unwrap());
    drop(listener);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    let value = wait_for("TIME_WAIT", || {
        let (value, _) = told(&format!("list --json :{port}"));
        let is_left = value["port"]["holders"][0]["state"] == "time_wait";
        is_left.then_some(value)
    });
    let found = &value["port"];
    assert_eq!(found["verdict"], "remnants");
    let left = found["free_in_s"].as_u64().unwrap();
    assert!((1..=60).contains(&left), "{left}");
    let (value, code) = told(&format!("explain --json :{port}"));
    let found = &value["port"];
    assert_eq!(
        (found["verdict"].as_str(), code),
        (Some("remnants"), Some(0))
    );
    let headline = found["headline"].as_str().unwrap();
    assert!(headline.contains("Nobody listens"), "{headline}");
    let next = found["next"][0].as_str().unwrap();
    assert!(next.starts_with("wait "), "{next}");

    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let (value, code) = told(&format!("explain --json :{port}"));
    assert_eq!(value["port"]["verdict"], "free");
    assert_eq!(
        (&value["explanations"], code),
        (&serde_json::json!([]), Some(1))
    );
    Ok(())
}
