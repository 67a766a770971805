//! One run of a script.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::application::Application;
use crate::invariants::{check_at_rest, check_at_the_end};
use crate::network::Network;
use crate::script::{Script, Step, Verb};

/// Longer than all deadlines of clients and broker together.
const ALL_DEADLINES: Duration = Duration::from_secs(60);

/// What a run has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The sum of all bytes that arrived anywhere, and of all outcomes.
    pub sum: (u64, u64),
    /// What no run may show.
    pub violations: Vec<String>,
    /// How often each step, fault and outcome happened.
    pub counts: BTreeMap<String, u64>,
    /// What happened, if it was asked for.
    pub log: Vec<String>,
}

/// Runs a script. A panic is a violation.
pub fn run(script: &Script, keep_log: bool) -> Report {
    let ran = catch_unwind(AssertUnwindSafe(|| {
        // What leveret draws depends on the script alone.
        fastrand::seed(script.settings.seed);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without I/O needs nothing of the system");
        runtime.block_on(perform(script, keep_log))
    }));
    ran.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let violations = vec![format!("panic: {}", text.unwrap_or_default())];
        Report { sum: (0, 0), violations, counts: BTreeMap::new(), log: Vec::new() }
    })
}

async fn perform(script: &Script, keep_log: bool) -> Report {
    let network = Network::start(&script.settings);
    let application = Application::new(script.settings, network.clone(), keep_log);
    for step in &script.steps {
        application.perform(step);
        pass(step).await;
    }
    application.heal();
    sleep(ALL_DEADLINES).await;
    let mut violations = check_at_rest(&application);
    application.close_all();
    sleep(ALL_DEADLINES).await;
    violations.extend(check_at_the_end(&application));
    let mut ledger = application.ledger();
    let world = network.world();
    let mut counts = std::mem::take(&mut ledger.counts);
    counts.extend(world.bitten.iter().map(|(fault, count)| (format!("bitten {fault}"), *count)));
    let log = ledger.log.take().unwrap_or_default();
    Report { sum: (world.history.sum(), ledger.history.sum()), violations, counts, log }
}

async fn pass(step: &Step) {
    match step.verb {
        Verb::Wait => sleep(Duration::from_millis(step.get("ms").into())).await,
        // Time passes only when nothing else can happen.
        Verb::Rest => sleep(Duration::from_millis(1)).await,
        Verb::Turns => {
            for _ in 0..step.get("count") {
                tokio::task::yield_now().await;
            }
        }
        _ => {}
    }
}
