//! Sets of delivery tags: what is unsettled on a channel, what a consumer has to give back.

use std::collections::VecDeque;

/// A set of delivery tags.
///
/// Tags count up on their channel, so the set is a queue of words of 64 bits, sorted, of which only those exist that
/// have a bit. Adding the next tag and taking out one of the oldest cost a few instructions; others cost a binary search.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine) struct DeliveryTags {
    words: VecDeque<Word>,
    /// Words in the middle that have no bit any more. They go when they are the majority.
    empty: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    /// The tags of the word, divided by 64.
    base: u64,
    bits: u64,
}

#[inline]
const fn place(tag: u64) -> (u64, u64) {
    (tag >> 6, 1 << (tag & 63))
}

impl Word {
    /// The smallest tag of the word; `None` where it has none.
    fn first(self) -> Option<u64> {
        (self.bits != 0).then(|| (self.base << 6) | u64::from(self.bits.trailing_zeros()))
    }

    fn last(self) -> Option<u64> {
        (self.bits != 0).then(|| (self.base << 6) | u64::from(63 - self.bits.leading_zeros()))
    }
}

impl DeliveryTags {
    /// Adds a tag.
    #[inline]
    pub(super) fn insert(&mut self, tag: u64) {
        let (base, bits) = place(tag);
        self.insert_word(Word { base, bits });
    }

    #[inline]
    fn insert_word(&mut self, word: Word) {
        match self.words.back_mut() {
            Some(last) if last.base == word.base => last.bits |= word.bits,
            Some(last) if last.base > word.base => self.insert_before(word),
            _ => self.words.push_back(word),
        }
    }

    /// A broker whose tags do not count up, or tags that are put back.
    #[cold]
    fn insert_before(&mut self, new: Word) {
        match self.words.binary_search_by_key(&new.base, |word| word.base) {
            Ok(index) => {
                if let Some(word) = self.words.get_mut(index) {
                    self.empty -= usize::from(word.bits == 0);
                    word.bits |= new.bits;
                }
            }
            Err(index) => self.words.insert(index, new),
        }
    }

    /// Takes a tag out; tells whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, tag: u64) -> bool {
        let (base, bit) = place(tag);
        let Some(front) = self.words.front_mut() else { return false };
        if front.base == base {
            let was_there = front.bits & bit != 0;
            front.bits &= !bit;
            if front.bits == 0 {
                self.drop_empty_front();
            }
            return was_there;
        }
        self.remove_behind(base, bit)
    }

    fn remove_behind(&mut self, base: u64, bit: u64) -> bool {
        let last = self.words.len().saturating_sub(1);
        let index = match self.words.back() {
            Some(back) if back.base == base => Ok(last),
            _ => self.words.binary_search_by_key(&base, |word| word.base),
        };
        let Some(word) = index.ok().and_then(|index| self.words.get_mut(index)) else { return false };
        let was_there = word.bits & bit != 0;
        word.bits &= !bit;
        if was_there && word.bits == 0 {
            self.empty += 1;
            self.compact();
        }
        was_there
    }

    /// Takes out every tag up to this one.
    pub(super) fn remove_up_to(&mut self, tag: u64) {
        self.move_up_to(tag, None);
    }

    /// The same, into another set.
    pub(super) fn move_up_to(&mut self, tag: u64, mut to: Option<&mut Self>) {
        let (base, bit) = place(tag);
        let mut take = |word: Word| {
            if let Some(to) = &mut to
                && word.bits != 0
            {
                to.insert_word(word);
            }
        };
        while let Some(word) = self.words.pop_front_if(|word| word.base < base || word.bits == 0) {
            self.empty = self.empty.saturating_sub(usize::from(word.bits == 0));
            take(word);
        }
        if let Some(front) = self.words.front_mut().filter(|word| word.base == base) {
            let mask = bit | (bit - 1);
            take(Word { base, bits: front.bits & mask });
            front.bits &= !mask;
            self.drop_empty_front();
        }
    }

    /// Adds the tags of another set.
    pub(in crate::engine) fn extend(&mut self, other: &Self) {
        other.words.iter().for_each(|word| self.insert_word(*word));
    }

    /// Keeps the tags that another set has too.
    pub(super) fn retain(&mut self, other: &Self) {
        for word in &mut self.words {
            word.bits &= other.word(word.base);
        }
        self.words.retain(|word| word.bits != 0);
        self.empty = 0;
    }

    fn drop_empty_front(&mut self) {
        let mut first = true;
        while self.words.pop_front_if(|word| word.bits == 0).is_some() {
            // The first was emptied just now, and is not among those that are counted.
            self.empty = self.empty.saturating_sub(usize::from(!first));
            first = false;
        }
    }

    fn compact(&mut self) {
        if self.empty > 32 && self.empty > self.words.len() / 2 {
            self.words.retain(|word| word.bits != 0);
            self.words.shrink_to(self.words.len() * 2);
            self.empty = 0;
        }
    }

    /// Whether the tag is in the set.
    pub(in crate::engine) fn contains(&self, tag: u64) -> bool {
        let (base, bit) = place(tag);
        self.word(base) & bit != 0
    }

    fn word(&self, base: u64) -> u64 {
        let found = self.words.binary_search_by_key(&base, |word| word.base);
        found.ok().and_then(|index| self.words.get(index)).map_or(0, |word| word.bits)
    }

    /// The tags, smallest first.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = u64> {
        self.words.iter().flat_map(|word| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let first = rest.first()?;
                rest.bits &= rest.bits - 1;
                Some(first)
            })
        })
    }

    /// The largest tag up to which this set, of all tags that are unsettled, has every one: one multiple settles them.
    pub(super) fn last_before_others(&self, unsettled: &Self) -> Option<u64> {
        let others = |word: &Word| Word { base: word.base, bits: word.bits & !self.word(word.base) };
        let other = unsettled.words.iter().find_map(|word| others(word).first());
        let Some(other) = other else { return self.words.iter().rev().find_map(|word| word.last()) };
        let below = |word: &Word| {
            let (base, bit) = place(other);
            let mask = if word.base == base { bit - 1 } else { u64::MAX };
            Word { base: word.base, bits: word.bits & mask }
        };
        let (base, _) = place(other);
        self.words.iter().take_while(|word| word.base <= base).filter_map(|word| below(word).last()).last()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

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

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((0_u8..4, 0_u64..400), 0..300)) {
            let (mut set, mut model) = (DeliveryTags::default(), BTreeSet::new());
            for (step, tag) in steps {
                match step {
                    0 | 1 => {
                        set.insert(tag);
                        model.insert(tag);
                    }
                    2 => prop_assert_eq!(set.remove(tag), model.remove(&tag)),
                    _ => {
                        let later = model.split_off(&(tag + 1));
                        let (up_to, mut removed) = (std::mem::replace(&mut model, later), DeliveryTags::default());
                        set.move_up_to(tag, Some(&mut removed));
                        prop_assert_eq!(removed.iter().collect::<BTreeSet<_>>(), up_to);
                    }
                }
                prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(set.contains(tag), model.contains(&tag));
            }
        }
    }
}
