//! Sets of delivery tags compared with a model, and their cost.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::engine::steps::{scattered, steps_of};

fn tags(tags: impl IntoIterator<Item = u64>) -> DeliveryTags {
    let mut set = DeliveryTags::default();
    tags.into_iter().for_each(|tag| set.insert(tag));
    set
}

#[test]
fn tags_up_to_the_first_one_of_somebody_else_are_settled_together() {
    let unsettled = tags(1..=200);
    assert_eq!(tags(1..=200).last_before_others(&unsettled), Some(200));
    assert_eq!(tags(1..=150).last_before_others(&unsettled), Some(150));
    assert_eq!(tags((1..=150).filter(|tag| *tag != 100)).last_before_others(&unsettled), Some(99));
    assert_eq!(tags(2..=200).last_before_others(&unsettled), None);
    assert_eq!(tags([64, 65]).last_before_others(&tags([64, 65, 66])), Some(65));
}

#[test]
fn one_tag_that_stays_does_not_keep_the_words_of_those_that_went() {
    let mut set = tags([1]);
    for tag in 64..1_000_000 {
        set.insert(tag);
        assert!(set.remove(tag));
    }
    assert!(set.words.len() < 100, "{}", set.words.len());
    assert_eq!(set.iter().collect::<Vec<_>>(), [1]);
}

#[test]
fn the_last_word_is_empty_no_more_when_it_gets_a_bit_again() {
    let mut set = tags([1, 64, 128]);
    for _ in 0..100 {
        assert!(set.remove(128));
        assert_eq!((set.empty, set.words.len()), (1, 3));
        set.insert(128);
        assert_eq!((set.empty, set.words.len()), (0, 3));
    }
    assert!(set.remove(64));
    assert_eq!((set.empty, set.words.len()), (1, 3));
}

#[test]
fn tags_in_no_order_cost_a_few_steps_each() {
    const COUNT: u64 = 100_000;
    let (inserting, mut set) = steps_of(|| tags(scattered(COUNT)));
    assert!(inserting <= 2 * COUNT, "{inserting} steps");
    assert_eq!(set.iter().collect::<BTreeSet<_>>(), scattered(COUNT).collect());
    let (unsettled, words) = (set.clone(), set.extent() as u64);
    let (splitting, ()) = steps_of(|| {
        set.retain(&unsettled);
        assert_eq!(set.last_before_others(&unsettled), scattered(COUNT).max());
    });
    // One search in the other set for each word, by each of the two.
    assert_eq!(splitting, 2 * words);
    let (removing, ()) = steps_of(|| scattered(COUNT).for_each(|tag| assert!(set.remove(tag))));
    assert!(removing <= 2 * COUNT, "{removing} steps");
    assert_eq!((set.words.len(), set.tree.len()), (0, 0));
}

#[test]
fn tags_that_a_rollback_brings_back_cost_a_few_steps_each() {
    const COUNT: u64 = 100_000;
    let every_other_word = |first: u64| (0..COUNT).map(move |index| 64 * (2 * index + first));
    let (mut set, back) = (tags(every_other_word(0)), tags(every_other_word(1)));
    let (steps, ()) = steps_of(|| set.extend(&back));
    assert!(steps <= 3 * COUNT, "{steps} steps");
    assert_eq!(set.iter().count() as u64, 2 * COUNT);
}

#[test]
fn a_set_whose_tags_counted_up_once_more_takes_no_tree() {
    let mut set = tags(scattered(1000));
    assert!(!set.tree.is_empty());
    set.remove_up_to(u64::MAX);
    (0..1_000_000).for_each(|tag| set.insert(tag));
    assert_eq!((set.tree.len(), set.words.len()), (0, 1_000_000 / 64));
}

proptest! {
    #[test]
    fn it_is_a_set(
        spread in prop::sample::select(vec![1_u64, 7, 64, 1000]),
        steps in prop::collection::vec((0_u8..9, 0_u64..400), 0..400),
    ) {
        let (mut set, mut model) = (DeliveryTags::default(), BTreeSet::new());
        for (step, tag) in steps {
            let tag = tag * spread;
            match step {
                0..5 => {
                    set.insert(tag);
                    model.insert(tag);
                }
                5..8 => prop_assert_eq!(set.remove(tag), model.remove(&tag)),
                _ => {
                    let tag = tag / 8;
                    let later = model.split_off(&(tag + 1));
                    let (up_to, mut removed) = (std::mem::replace(&mut model, later), DeliveryTags::default());
                    set.move_up_to(tag, Some(&mut removed));
                    prop_assert_eq!(removed.iter().collect::<BTreeSet<_>>(), up_to);
                }
            }
            prop_assert_eq!(set.contains(tag), model.contains(&tag));
            prop_assert_eq!(set.iter().next(), model.first().copied());
            prop_assert_eq!(set.empty, set.words.iter().filter(|word| word.bits == 0).count());
        }
        prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
    }

    #[test]
    fn sets_are_joined_met_and_compared_wherever_their_words_are(
        spread in prop::sample::select(vec![1_u64, 64]),
        mine in prop::collection::vec(0_u64..200, 0..200),
        theirs in prop::collection::vec(0_u64..200, 0..200),
    ) {
        let [mine, theirs] = [mine, theirs].map(|tags| tags.into_iter().map(|tag| tag * spread).collect::<Vec<_>>());
        let [set, other] = [&mine, &theirs].map(|of| tags(of.iter().copied()));
        let [model, others] = [&mine, &theirs].map(|of| of.iter().copied().collect::<BTreeSet<_>>());
        let (mut joined, mut met) = (set.clone(), set.clone());
        joined.extend(&other);
        met.retain(&other);
        prop_assert!(joined.iter().eq(model.union(&others).copied()));
        prop_assert!(met.iter().eq(model.intersection(&others).copied()));
        let other = others.difference(&model).next().copied().unwrap_or(u64::MAX);
        prop_assert_eq!(set.last_before_others(&joined), model.range(..other).last().copied());
    }
}
