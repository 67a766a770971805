//! Makes a failing script shorter.

use crate::run::run;
use crate::script::{Script, Step};

/// Returns the shortest script that was found by removing steps, such that it still fails in a way
/// that the original does (delta debugging).
pub fn shrink(script: &Script) -> Script {
    let kinds = kinds(&run(script, false).violations);
    let fails = |steps: &[Step]| {
        let shown = run(&script.with_steps(steps.to_vec()), false).violations;
        self::kinds(&shown).iter().any(|kind| kinds.contains(kind))
    };
    script.with_steps(shorten(&script.steps, fails))
}

/// The kind of each violation: its text up to the details, without numbers.
fn kinds(violations: &[String]) -> Vec<String> {
    let kind = |violation: &String| {
        let invariant = violation.chars().take(3);
        let rest = violation.chars().skip(3).take(40).filter(|letter| !letter.is_ascii_digit());
        invariant.chain(rest).collect()
    };
    violations.iter().map(kind).collect()
}

/// Removes what is not needed for `fails` to hold, in pieces that become smaller.
pub fn shorten<T: Clone>(all: &[T], fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut kept = all.to_vec();
    let mut piece = kept.len().div_ceil(2);
    while piece > 0 && !kept.is_empty() {
        let (mut at, mut removed) = (0, false);
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + piece).min(kept.len()));
            if fails(&fewer) {
                kept = fewer;
                removed = true;
            } else {
                at += piece;
            }
        }
        // Removing one step may have made others unnecessary.
        if piece > 1 || !removed {
            piece /= 2;
        }
    }
    kept
}
