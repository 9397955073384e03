//! The commands that a person is to paste, before the program that is to take them.

use super::namespace::{LabNamespace, NotHere};
use std::process::Command;
use tcplens::explain::catalogue::{Catalogue, Language};
use tcplens::listing::wrap_command;
use tcplens::model::state::State;

const PYTHON: &str = "python3";

/// What is broken into lines is still a program.
pub(crate) fn are_still_python(_: &LabNamespace) -> Result<(), NotHere> {
    let Some(refused) = python(&["(".to_owned()]) else {
        return Err(NotHere::NoTool(PYTHON));
    };
    assert!(refused.contains("SyntaxError"), "{refused}");
    let words = Catalogue::of(Language::English);
    let states = State::ALL
        .into_iter()
        .filter_map(|state| words.state(state));
    let commands = states.map(|state| state.command.as_str());
    let steps = words.learn().session.step.iter();
    let commands = commands.chain(steps.map(|step| step.command.as_str()));
    let commands = commands.filter(|command| command.contains("python3 -c"));
    let programs: Vec<String> = commands
        .flat_map(|command| [40, 80, 110].map(|cells| program(&wrap_command(command, cells))))
        .collect();
    assert!(programs.len() >= 3, "a program in Python is shown");
    assert_eq!(python(&programs).unwrap(), "");
    println!("{} programs parsed", programs.len());
    Ok(())
}

/// What a shell hands on of `python3 -c '…'`.
fn program(lines: &[String]) -> String {
    let command = lines.join("\n");
    let (_, program) = command.split_once("-c").unwrap();
    let program = program.trim_start_matches([' ', '\\', '\n']);
    program.trim_matches('\'').to_owned()
}

/// What Python has against these programs, which it parses and does not run; none where
/// there is no Python.
fn python(programs: &[String]) -> Option<String> {
    let parse = "import ast,sys; [ast.parse(program) for program in sys.argv[1:]]";
    let mut python = Command::new(PYTHON);
    let output = python.args(["-c", parse]).args(programs).output().ok()?;
    Some(String::from_utf8(output.stderr).unwrap())
}
