//! One run of a script.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::application::Application;
use crate::invariants::{BeforeLoss, check_at_rest, check_at_the_end};
use crate::network::Network;
use crate::script::{Script, Step, Verb};

/// Longer than all deadlines of clients and broker together.
const ALL_DEADLINES: Duration = Duration::from_secs(60);

/// What a run has shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

thread_local! {
    /// The panics of the run on this thread; `None` if there is no run.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Runs a script. A panic is a violation, in whichever task it is.
pub fn run(script: &Script, keep_log: bool) -> Report {
    note_panics();
    PANICS.set(Some(Vec::new()));
    let ran = catch_unwind(AssertUnwindSafe(|| {
        // What leveret draws depends on the script alone.
        fastrand::seed(script.settings.seed);
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without I/O needs nothing of the system");
        runtime.block_on(perform(script, keep_log))
    }));
    let mut report = ran.unwrap_or_default();
    report.violations.extend(PANICS.take().unwrap_or_default());
    report
}

/// Notes panics in runs. A runtime hides those of its tasks.
fn note_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let noted = PANICS.with_borrow_mut(|panics| {
                panics.as_mut().map(|panics| panics.push(format!("panic: {info}").replace('\n', " ")))
            });
            if noted.is_none() {
                before(info);
            }
        }));
    });
}

async fn perform(script: &Script, keep_log: bool) -> Report {
    let network = Network::start(&script.settings);
    let application = Application::new(script.settings, network.clone(), keep_log);
    for step in &script.steps {
        application.perform(step);
        pass(step).await;
    }
    recover(&application).await;
    let mut violations = check_at_rest(&application);
    if script.settings.recovery > 0 {
        violations.extend(lose_all(&application, script.settings.seed % 2 == 1).await);
    }
    application.close_all();
    recover(&application).await;
    violations.extend(check_at_the_end(&application));
    let mut ledger = application.ledger();
    let world = network.world();
    let mut counts = std::mem::take(&mut ledger.counts);
    counts.extend(world.bitten.iter().map(|(fault, count)| (format!("bitten {fault}"), *count)));
    counts.extend(world.tap.counts.iter().map(|(what, count)| ((*what).to_owned(), *count)));
    let log = ledger.log.take().unwrap_or_default();
    Report { sum: (world.history.sum(), ledger.history.sum()), violations, counts, log }
}

/// Loses all connections while nothing else happens, and compares what the broker has before and
/// after: everything is recovered, and nothing is there that nobody wants.
async fn lose_all(application: &Application, crash: bool) -> Vec<String> {
    let (before, mut violations) = BeforeLoss::look(application);
    application.lose_all(crash);
    sleep(Duration::from_millis(1)).await;
    recover(application).await;
    violations.extend(check_at_rest(application));
    violations.extend(before.compare(application, crash));
    violations
}

/// Ends all disturbances, and lets everything come to its end.
async fn recover(application: &Application) {
    // What was on its way, for up to nine seconds, may have met what waited for it; and what that
    // held up may meet the next.
    for _ in 0..5 {
        application.heal();
        sleep(Duration::from_secs(10)).await;
    }
    application.heal();
    sleep(ALL_DEADLINES).await;
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
