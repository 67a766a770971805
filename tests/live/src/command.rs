//! Programs that scenarios run: `rabbitmqctl`, and foreign clients.

use std::process::{Command, Stdio};

use crate::variable;

/// Runs a program to its end off the runtime, and gives what it prints; its failure is the
/// scenario's.
pub(crate) async fn run(program: String, arguments: Vec<String>) -> String {
    let what = format!("{program} {}", arguments.join(" "));
    let running = move || Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let ended = tokio::task::spawn_blocking(running).await.expect("the task goes on");
    let output = ended.unwrap_or_else(|error| panic!("{what}: {error}"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {}\n{printed}\n{complaint}", output.status);
    printed
}

/// Runs one of the jobs of `pika_peer.py` on the shared broker.
pub async fn pika(job: &str, queue: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/pika_peer.py");
    let arguments = [script, job, &crate::url(), queue].map(str::to_owned).to_vec();
    run(variable("LEVERET_TEST_PYTHON"), arguments).await;
}

/// Has Pika do the job of `tests/foreign` on the shared broker.
pub async fn pika_job() {
    job(variable("LEVERET_TEST_PYTHON"), &[], "pika_job.py").await;
}

/// Has Node's amqplib do it.
pub async fn amqplib_job() {
    let modules = format!("NODE_PATH={}", variable("LEVERET_TEST_NODE_MODULES"));
    job("env".to_owned(), &[&modules, "node"], "amqplib_job.js").await;
}

/// Has the commands of amqp-tools do it.
pub async fn amqp_tools_job() {
    job("bash".to_owned(), &[], "amqp_tools_job.sh").await;
}

/// Runs a job to its end; one that says nothing has not done it.
async fn job(program: String, before: &[&str], script: &str) {
    let script = format!("{}/../foreign/{script}", env!("CARGO_MANIFEST_DIR"));
    let mut arguments: Vec<String> = before.iter().map(|&argument| argument.to_owned()).collect();
    arguments.extend([script, crate::url(), crate::unique("foreign")]);
    let said = run(program, arguments).await;
    assert_eq!(said.lines().last(), Some("done"), "{said}");
}
