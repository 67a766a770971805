//! The examples, on the embedded broker; `tests/run` runs them on RabbitMQ.

use super::host::Host;
use super::within::in_time;

/// Examples, and the tests that run them.
macro_rules! examples {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[path = $path]
            #[allow(dead_code, reason = "its main takes the broker from the environment")]
            mod $name;
        )*

        /// What each does with a broker at a URL.
        const ALL: &[(&str, fn(&str) -> leveret::Result<()>)] = &[$((stringify!($name), $name::run)),*];
    };
}

examples! {
    blocking_blocked_timeout: "../../examples/blocking_blocked_timeout.rs",
    blocking_confirms: "../../examples/blocking_confirms.rs",
    blocking_consume: "../../examples/blocking_consume.rs",
    blocking_get: "../../examples/blocking_get.rs",
    blocking_inactivity: "../../examples/blocking_inactivity.rs",
    blocking_mandatory: "../../examples/blocking_mandatory.rs",
    blocking_workers: "../../examples/blocking_workers.rs",
}

#[test]
fn every_example_runs_and_leaves_nothing_behind() {
    for (name, run) in ALL {
        in_time(move || {
            let host = Host::new();
            run(&host.url).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            host.until_left();
            assert!(host.broker.state().queues("/").is_empty(), "{name}");
        });
    }
}

#[test]
fn every_example_with_a_thread_that_waits_is_run() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap();
    let mut found: Vec<_> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    found.retain(|file| file.starts_with("blocking_"));
    found.sort_unstable();
    let listed: Vec<_> = ALL.iter().map(|(name, _)| format!("{name}.rs")).collect();
    assert_eq!(found, listed);
}

#[test]
fn the_example_of_a_blocked_connection_gives_it_up() {
    in_time(|| {
        let host = Host::new();
        host.broker.state().block("low on memory");
        blocking_blocked_timeout::run(&host.url).unwrap();
        // A broker that blocks reads no end of a stream either.
        host.broker.state().unblock();
        host.until_left();
    });
}

#[test]
fn an_example_without_a_broker_says_so() {
    for (name, run) in ALL {
        let error = in_time(move || run("amqp://127.0.0.1:1")).unwrap_err();
        assert!(error.to_string().contains("connect: "), "{name}: {error}");
    }
}
