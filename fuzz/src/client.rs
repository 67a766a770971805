//! The async client and its driver, against the embedded broker over a network in memory: octets
//! decide what applications do, and which faults the network and the broker have.

use leveret_simulation::run::run;
use leveret_simulation::script::Script;

/// More octets would only make a run slower.
const MOST: usize = 600;

/// The choices of a script of the simulation, one octet each: the run shows nothing that no run may
/// show, from a future that never resolves to a binding that a loss takes.
pub fn client(data: &[u8]) {
    let script = Script::of_octets(data.get(..MOST).unwrap_or(data));
    let report = run(&script, false);
    assert!(report.violations.is_empty(), "{:#?}\n{script}", report.violations);
}
