//! The table that is printed, in Markdown.

use super::run::Run;
use std::fs;

pub(crate) const HEAD: &str = "\
| command | wall ms | CPU ms | peak MiB | beside it | wall ms | CPU ms | peak MiB | wall ratio | CPU ratio |
|---|---|---|---|---|---|---|---|---|---|";

/// The machine it is measured on.
pub(crate) fn machine() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("Linux {}, {cores} cores of {model}", release.trim())
}

/// One duel: medians of both, and how many times more the other took.
pub(crate) fn line(ours: &[&str], theirs: &[&str], pairs: &[(Run, Run)]) -> String {
    let of = |pick: &dyn Fn(&(Run, Run)) -> f64| median(pairs.iter().map(pick).collect());
    let arguments = |command: &[&str]| {
        let words: Vec<&str> = command
            .iter()
            .map(|word| word.rsplit('/').next().unwrap_or(word))
            .collect();
        words.join(" ")
    };
    format!(
        "| {} | {:.1} | {:.1} | {:.0} | {} | {:.1} | {:.1} | {:.0} | {:.1} | {:.1} |",
        arguments(ours),
        of(&|pair| pair.0.wall_ms),
        of(&|pair| pair.0.cpu_ms),
        of(&|pair| pair.0.peak_mib),
        arguments(theirs),
        of(&|pair| pair.1.wall_ms),
        of(&|pair| pair.1.cpu_ms),
        of(&|pair| pair.1.peak_mib),
        of(&|pair| pair.1.wall_ms / pair.0.wall_ms),
        of(&|pair| pair.1.cpu_ms / pair.0.cpu_ms),
    )
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 {
        numbers[middle]
    } else {
        f64::midpoint(numbers[middle - 1], numbers[middle])
    }
}
