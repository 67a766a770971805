//! Faults of a cluster of three RabbitMQ nodes, and a ledger of every message: `tests/cluster/run`
//! starts the nodes and then this program.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command reports what it finds")]

mod client;
mod cluster;
mod consuming;
mod crowd;
mod faults;
mod ledger;
mod publishing;
mod report;
mod stage;

use std::process::ExitCode;

use cluster::Cluster;
use faults::Fault;

/// What ends the program early. Violations do not.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// The size of each body in bytes.
const BODY: usize = 256;

/// Makes the body of a message: its identifier, filled up.
pub(crate) fn body(id: usize) -> Vec<u8> {
    format!("{id:<BODY$}").into_bytes()
}

/// Reads the identifier in the body of a message.
pub(crate) fn read_body(body: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(body).ok()?;
    (text.len() == BODY).then(|| text.trim_end().parse().ok())?
}

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "--list") {
        for fault in Fault::ALL {
            println!("{:10}{}", fault.name(), fault.description());
        }
        return ExitCode::SUCCESS;
    }
    match run(&words).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("The run ended early: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the faults of these names, or all of them. Returns `true` if no ledger has a violation.
async fn run(names: &[String]) -> Result<bool> {
    let plan = plan(names)?;
    let cluster = Cluster::around().await?;
    let mut ended = Vec::new();
    let mut failed = None;
    for fault in plan {
        match fault.happen(&cluster).await {
            Ok(one) => {
                println!("{}", report::details(fault, &one));
                ended.push((fault, one));
            }
            Err(error) => {
                failed = Some(format!("{}: {error}", fault.name()));
                break;
            }
        }
    }
    println!("\n{}\n\n{}", report::table(&ended), report::LEGEND);
    if let Some(error) = failed {
        return Err(error.into());
    }
    let violations: usize = ended.iter().map(|(_, one)| one.violations.len()).sum();
    println!("{} faults, {violations} violations.", ended.len());
    Ok(violations == 0)
}

fn plan(names: &[String]) -> Result<Vec<Fault>> {
    if names.is_empty() {
        return Ok(Fault::ALL.to_vec());
    }
    let find = |name: &String| {
        let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name);
        fault.ok_or_else(|| format!("There is no fault {name}; --list shows all.").into())
    };
    names.iter().map(find).collect()
}
