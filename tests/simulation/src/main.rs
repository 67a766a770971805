//! Runs seeds of the simulation, or a script: see `--help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a command")]

use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use leveret_simulation::coverage::Coverage;
use leveret_simulation::run::run;
use leveret_simulation::script::Script;
use leveret_simulation::shrink::shrink;

const HELP: &str = "\
Runs clients and the embedded broker in virtual time, with all choices made from seeds.

    leveret-simulation --seeds 0..2000 [--threads N] [--recovery]
    leveret-simulation --script FILE

--seeds FROM..TO  the seeds to run
--threads N       how many threads run them; one for each processor by default
--recovery        connections of most seeds recover
--script FILE     runs a script and prints what happens

It ends with 1 if a run shows what no run may show, or if many runs leave something unexercised.";

/// From how many runs on everything has to be exercised.
const MANY: u64 = 2000;

/// How many failing seeds are shrunk and printed in full.
const MOST_PRINTED: usize = 5;

#[derive(Default)]
struct Arguments {
    seeds: Range<u64>,
    threads: Option<usize>,
    recovery: bool,
    script: Option<String>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let passed = match &arguments.script {
        Some(path) => run_script(path),
        None => run_seeds(&arguments),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match &*word {
            "--seeds" => arguments.seeds = range(&value()?)?,
            "--threads" => arguments.threads = Some(value()?.parse().map_err(|_| "--threads needs a number")?),
            "--script" => arguments.script = Some(value()?),
            "--recovery" => arguments.recovery = true,
            _ => return Err(format!("{word} is not known")),
        }
    }
    if arguments.seeds.is_empty() && arguments.script.is_none() {
        return Err("there is nothing to run".to_owned());
    }
    Ok(arguments)
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let ends = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.ok_or_else(|| format!("{text:?} is no range of seeds, such as 0..2000"))
}

fn run_script(path: &str) -> bool {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let script = match text.and_then(|text| text.parse::<Script>()) {
        Ok(script) => script,
        Err(error) => {
            eprintln!("{path}: {error}");
            return false;
        }
    };
    let report = run(&script, true);
    report.log.iter().for_each(|line| println!("{line}"));
    report.violations.iter().for_each(|violation| println!("{violation}"));
    println!("sum of the run: {:016x} {:016x}", report.sum.0, report.sum.1);
    report.violations.is_empty()
}

fn run_seeds(arguments: &Arguments) -> bool {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, begun) = (AtomicU64::new(arguments.seeds.start), Instant::now());
    let (coverage, failed) = (Mutex::new(Coverage::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads.unwrap_or(processors).max(1) {
            scope.spawn(|| {
                let mut own = Coverage::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= arguments.seeds.end {
                        break;
                    }
                    let report = run(&Script::of_seed(seed, arguments.recovery), false);
                    own.add(&report);
                    if !report.violations.is_empty()
                        && let Ok(mut failed) = failed.lock()
                    {
                        failed.push((seed, report.violations));
                    }
                }
                if let Ok(mut coverage) = coverage.lock() {
                    coverage.merge(&own);
                }
            });
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    let coverage = coverage.into_inner().unwrap_or_default();
    let mut failed = failed.into_inner().unwrap_or_default();
    failed.sort();
    print!("{coverage}");
    report_failures(&failed, arguments.recovery);
    println!("{} seeds in {seconds:.1} s, {:.0} seeds per second", coverage.runs, coverage.runs as f64 / seconds);
    let missing = if coverage.runs >= MANY { coverage.missing(arguments.recovery) } else { Vec::new() };
    missing.iter().for_each(|what| println!("not exercised: {what}"));
    println!("{} failed", failed.len());
    failed.is_empty() && missing.is_empty()
}

fn report_failures(failed: &[(u64, Vec<String>)], recovery: bool) {
    for (at, (seed, violations)) in failed.iter().enumerate() {
        println!("\nseed {seed} failed:");
        violations.iter().for_each(|violation| println!("  {violation}"));
        if at < MOST_PRINTED {
            let shorter = shrink(&Script::of_seed(*seed, recovery));
            println!("the shortest script that was found, for --script:\n{shorter}");
            run(&shorter, false).violations.iter().for_each(|violation| println!("  {violation}"));
        }
    }
}
