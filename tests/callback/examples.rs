//! The examples, as processes of their own: this test binary once more, which runs one alone.
#![cfg(unix)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use leveret::broker::{Fault, Target};

use super::guard::Guard;
use super::host::Host;

#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../../examples/callback_consumer.rs"]
mod callback_consumer;
#[allow(dead_code, reason = "its `main` is not called")]
#[path = "../../examples/callback_publisher.rs"]
mod callback_publisher;

/// Names the example that this process is.
const IS: &str = "LEVERET_EXAMPLE";

/// In a process that is an example, this is it.
#[test]
fn an_example_runs_where_this_process_is_one() {
    let ended = match std::env::var(IS).as_deref() {
        Ok("consumer") => callback_consumer::run(&std::env::var("AMQP_URL").unwrap()),
        Ok("publisher") => callback_publisher::run(&std::env::var("AMQP_URL").unwrap()),
        _ => Ok(()),
    };
    ended.unwrap();
}

/// Starts an example for this broker.
fn start(example: &str, url: &str) -> (Child, BufReader<ChildStdout>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "examples::an_example_runs_where_this_process_is_one", "--nocapture"]);
    let mut child = command.env(IS, example).env("AMQP_URL", url).stdout(Stdio::piped()).spawn().unwrap();
    let says = BufReader::new(child.stdout.take().unwrap());
    (child, says)
}

/// Reads up to a line that ends like this.
fn read_to(says: &mut BufReader<ChildStdout>, ending: &str) -> String {
    let mut all = String::new();
    while !all.trim_end().ends_with(ending) {
        assert_ne!(says.read_line(&mut all).unwrap(), 0, "it ends without {ending:?}: {all}");
    }
    all
}

fn rest(mut says: BufReader<ChildStdout>) -> String {
    let mut all = String::new();
    says.read_to_string(&mut all).unwrap();
    all
}

#[test]
fn the_consumer_prints_messages_until_it_is_interrupted_and_closes_its_connection() {
    let (host, _guard) = (Host::new(), Guard::new());
    let (mut child, mut says) = start("consumer", &host.url);
    read_to(&mut says, "Waiting for messages, until Ctrl-C.");
    let connection = host.connect();
    let channel = connection.open_channel().unwrap();
    channel.publish("", "test", "Hello, world!").send().unwrap();
    read_to(&mut says, "Received: Hello, world!");
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let said = rest(says);
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(said.contains("Closing.\nClosed: connection: closed by the application\n"), "{said}");
    connection.close().unwrap();
}

#[test]
fn the_consumer_fails_with_the_reason_where_there_is_no_broker() {
    let _guard = Guard::new();
    let host = Host::new();
    let url = host.url.clone();
    drop(host);
    let (mut child, says) = start("consumer", &url);
    let said = rest(says);
    assert!(!child.wait().unwrap().success(), "{said}");
}

#[test]
fn the_publisher_connects_again_and_publishes_what_was_not_confirmed() {
    let (host, _guard) = (Host::new(), Guard::new());
    // Some messages arrive.
    host.broker.state().inject(Target::Next, Fault::CutInput(20_000));
    let (mut child, says) = start("publisher", &host.url);
    let said = rest(says);
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(said.contains("The broker has confirmed 1000 messages, on 2 connections."), "{said}");
    assert!(said.contains("Lost the connection: ") && said.contains("Closed: "), "{said}");
    assert!(host.broker.state().queue("/", "test").unwrap().ready >= 1000);
}
