//! Every seed and every past finding passes its target.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use leveret_fuzz::TARGETS;

#[test]
fn the_committed_corpus_passes() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in TARGETS {
        let mut replayed = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let octets = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| target(&octets));
            assert!(outcome.is_ok(), "{name} fails on {}", path.file_name().unwrap().display());
            replayed += 1;
        }
        assert!(replayed >= 20, "{name} has a corpus of {replayed}");
    }
}

#[test]
fn every_folder_of_seeds_belongs_to_a_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let folders: BTreeSet<String> =
        fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders, targets);
}
