//! Sets of delivery tags: the unsettled deliveries of a channel, or those that a consumer has to
//! return.

use std::collections::{BTreeMap, VecDeque};

use crate::engine::steps::{step, steps};

/// A set of delivery tags.
///
/// Tags count up on their channel, so the set is a sorted queue of words of 64 bits. Only words
/// that have a bit are stored. Adding the next tag and removing one of the oldest cost a few
/// instructions; other operations cost a binary search.
///
/// A word in the middle or at the end that loses its last bit stays and is counted as empty, until
/// it gets a bit again. The empty words are removed when there are more than 32 and they are the
/// majority.
///
/// Adding a word in the middle moves the words on one side of it. If these are many, because tags
/// do not count up or a rollback restores old ones, all words move to a tree, and move back when
/// few are left.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct DeliveryTags {
    words: VecDeque<Word>,
    /// The exact number of `words` that have no bit.
    empty: usize,
    /// The bits of all words by their bases; none is empty. If the tree has words, `words` has
    /// none.
    tree: BTreeMap<u64, u64>,
}

/// The largest number of words that are moved to make room for one in the middle.
const FEW: usize = 16;

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
    /// The smallest tag of the word, if it has any.
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
            Some(last) if last.base == word.base => {
                self.empty -= usize::from(last.bits == 0);
                last.bits |= word.bits;
            }
            Some(last) if last.base > word.base => self.insert_before(word),
            None if !self.tree.is_empty() => self.insert_into_tree(word),
            _ => self.words.push_back(word),
        }
    }

    /// Inserts a word before the last one: the broker's tags do not count up, or tags are restored.
    #[cold]
    fn insert_before(&mut self, new: Word) {
        match self.words.binary_search_by_key(&new.base, |word| word.base) {
            Ok(index) => {
                if let Some(word) = self.words.get_mut(index) {
                    self.empty -= usize::from(word.bits == 0);
                    word.bits |= new.bits;
                }
            }
            Err(index) => {
                // The shorter side is moved.
                let moved = index.min(self.words.len() - index);
                if moved <= FEW {
                    steps(moved);
                    self.words.insert(index, new);
                } else {
                    self.move_to_tree();
                    self.insert_into_tree(new);
                }
            }
        }
    }

    #[cold]
    fn insert_into_tree(&mut self, new: Word) {
        step();
        *self.tree.entry(new.base).or_default() |= new.bits;
    }

    /// Moves all words to the tree. When words move back, at most half of [`FEW`] do, so nearly all
    /// words that the next move takes were inserted in between: the cost of a move is spread over
    /// these insertions.
    fn move_to_tree(&mut self) {
        steps(self.words.len());
        self.empty = 0;
        let words = std::mem::take(&mut self.words).into_iter().filter(|word| word.bits != 0);
        self.tree = words.map(|Word { base, bits }| (base, bits)).collect();
    }

    /// Moves all words back if few are left in the tree: fewer than the number at which they moved
    /// to it, so that they do not move back and forth.
    fn move_from_tree(&mut self) {
        if self.tree.len() <= FEW / 2 {
            let words = std::mem::take(&mut self.tree).into_iter();
            self.words.extend(words.map(|(base, bits)| Word { base, bits }));
        }
    }

    /// Removes a tag. Returns `true` if it was in the set.
    #[inline]
    pub(super) fn remove(&mut self, tag: u64) -> bool {
        let (base, bit) = place(tag);
        let Some(front) = self.words.front_mut() else { return self.remove_from_tree(base, bit) };
        if front.base == base {
            let was_there = front.bits & bit != 0;
            front.bits &= !bit;
            if front.bits == 0 {
                self.drop_empty_front();
            }
            return was_there;
        }
        self.remove_after_front(base, bit)
    }

    fn remove_after_front(&mut self, base: u64, bit: u64) -> bool {
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

    #[cold]
    fn remove_from_tree(&mut self, base: u64, bit: u64) -> bool {
        step();
        let Some(bits) = self.tree.get_mut(&base) else { return false };
        let was_there = *bits & bit != 0;
        *bits &= !bit;
        if *bits == 0 {
            self.tree.remove(&base);
            self.move_from_tree();
        }
        was_there
    }

    /// Removes every tag up to this one.
    pub(super) fn remove_up_to(&mut self, tag: u64) {
        self.move_up_to(tag, None);
    }

    /// The same, and adds them to another set.
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
        let mask = bit | (bit - 1);
        if let Some(front) = self.words.front_mut().filter(|word| word.base == base) {
            take(Word { base, bits: front.bits & mask });
            front.bits &= !mask;
            self.drop_empty_front();
        }
        while let Some(first) = self.tree.first_entry().filter(|first| *first.key() <= base) {
            step();
            let (at, bits) = first.remove_entry();
            let mask = if at == base { mask } else { u64::MAX };
            take(Word { base: at, bits: bits & mask });
            if bits & !mask != 0 {
                self.tree.insert(at, bits & !mask);
                break;
            }
        }
        self.move_from_tree();
    }

    /// Adds the tags of another set.
    pub(in crate::engine) fn extend(&mut self, other: &Self) {
        other.words().filter(|word| word.bits != 0).for_each(|word| self.insert_word(word));
    }

    /// Keeps only the tags that are also in another set.
    pub(super) fn retain(&mut self, other: &Self) {
        for word in &mut self.words {
            word.bits &= other.word(word.base);
        }
        self.words.retain(|word| word.bits != 0);
        self.empty = 0;
        self.tree.retain(|base, bits| {
            *bits &= other.word(*base);
            *bits != 0
        });
        self.move_from_tree();
    }

    fn drop_empty_front(&mut self) {
        let mut first = true;
        while self.words.pop_front_if(|word| word.bits == 0).is_some() {
            // The first became empty just now and was not counted.
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

    /// The number of words that are stored, for up to 64 tags each.
    pub(super) fn extent(&self) -> usize {
        self.words.len() + self.tree.len()
    }

    /// Whether the tag is in the set.
    pub(in crate::engine) fn contains(&self, tag: u64) -> bool {
        let (base, bit) = place(tag);
        self.word(base) & bit != 0
    }

    fn word(&self, base: u64) -> u64 {
        step();
        let found = self.words.binary_search_by_key(&base, |word| word.base);
        match found.ok().and_then(|index| self.words.get(index)) {
            Some(word) => word.bits,
            None => self.tree.get(&base).copied().unwrap_or_default(),
        }
    }

    /// The words in order; some may be empty.
    fn words(&self) -> impl DoubleEndedIterator<Item = Word> {
        let of_tree = self.tree.iter().map(|(base, bits)| Word { base: *base, bits: *bits });
        self.words.iter().copied().chain(of_tree)
    }

    /// The tags in ascending order.
    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = u64> {
        self.words().flat_map(|word| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let first = rest.first()?;
                rest.bits &= rest.bits - 1;
                Some(first)
            })
        })
    }

    /// The largest tag up to which every tag of `unsettled` is in this set, so that one multiple
    /// settlement covers them.
    pub(super) fn last_before_others(&self, unsettled: &Self) -> Option<u64> {
        let others = |word: Word| Word { base: word.base, bits: word.bits & !self.word(word.base) };
        let other = unsettled.words().find_map(|word| others(word).first());
        let Some(other) = other else { return self.words().rev().find_map(Word::last) };
        let below = |word: Word| {
            let (base, bit) = place(other);
            let mask = if word.base == base { bit - 1 } else { u64::MAX };
            Word { base: word.base, bits: word.bits & mask }
        };
        let (base, _) = place(other);
        self.words().take_while(|word| word.base <= base).filter_map(|word| below(word).last()).last()
    }
}

#[cfg(test)]
mod tests;
