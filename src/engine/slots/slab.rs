//! A table whose items get a place that is never given twice.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::num::NonZeroU32;

use crate::engine::steps::step;

/// The place of an item: its slot, and its generation, which counts the uses of the slot. The place
/// of a removed item identifies nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) slot: u32,
    pub(crate) generation: NonZeroU32,
}

/// Slots in chunks. The lowest chunk with room is used first, and an empty chunk is freed. So after
/// a burst a few words remain for each chunk, and no memory for its items.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    /// The chunks that have room, each once.
    with_room: BinaryHeap<Reverse<u32>>,
    /// The lowest chunk with room, which takes the next item. If it is not known, a chunk that is
    /// full, or none.
    lowest: u32,
    /// The one empty chunk that keeps its memory, so that an item that is inserted and removed
    /// again and again allocates nothing.
    spare: Option<u32>,
    len: usize,
}

#[derive(Debug)]
struct Chunk<T> {
    slots: Vec<Slot<T>>,
    /// The first of the free slots among `slots`.
    free: u32,
    used: u32,
    /// The generation of a slot that is used for the first time since the chunk was allocated. It
    /// is higher than that of any slot before. `None` if the generations are used up: the chunk is
    /// then never used again.
    floor: Option<NonZeroU32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: NonZeroU32,
    content: Content<T>,
}

#[derive(Debug)]
enum Content<T> {
    Used(T),
    /// The next free slot of the chunk.
    Free(u32),
}

/// The number of slots in a chunk.
const CHUNK: u32 = 64;
/// The index that stands for no slot.
const NONE: u32 = u32::MAX;

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), with_room: BinaryHeap::new(), lowest: NONE, spare: None, len: 0 }
    }
}

impl<T> Slab<T> {
    /// The number of items.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Inserts an item.
    #[inline]
    pub(crate) fn insert(&mut self, item: T) -> Place {
        let has_room = self.chunks.get(self.lowest as usize).is_some_and(|chunk| !chunk.is_full());
        let index = if has_room { self.lowest } else { self.chunk_with_room() };
        if self.spare == Some(index) {
            self.spare = None;
        }
        self.len += 1;
        // The chunk exists: it has room, or was just added.
        let Some(chunk) = self.chunks.get_mut(index as usize) else {
            return Place { slot: NONE, generation: NonZeroU32::MIN };
        };
        let (slot, generation) = chunk.insert(item);
        if chunk.is_full() {
            self.with_room.pop();
        }
        Place { slot: index * CHUNK + slot, generation }
    }

    /// Finds the lowest chunk that has room, or adds one.
    #[cold]
    fn chunk_with_room(&mut self) -> u32 {
        while let Some(Reverse(index)) = self.with_room.peek().copied() {
            step();
            if self.chunks.get(index as usize).is_some_and(|chunk| !chunk.is_full()) {
                self.lowest = index;
                return index;
            }
            // The chunk was freed when its generations were used up.
            self.with_room.pop();
        }
        self.lowest = self.add_chunk();
        self.lowest
    }

    fn add_chunk(&mut self) -> u32 {
        // 2³² slots do not fit into memory.
        let index = u32::try_from(self.chunks.len()).unwrap_or(NONE / CHUNK);
        self.chunks.push(Chunk { slots: Vec::new(), free: NONE, used: 0, floor: Some(NonZeroU32::MIN) });
        self.with_room.push(Reverse(index));
        index
    }

    /// The item in this place.
    #[inline]
    pub(crate) fn get(&self, place: Place) -> Option<&T> {
        let slot = self.chunks.get((place.slot / CHUNK) as usize)?.slots.get((place.slot % CHUNK) as usize)?;
        match &slot.content {
            Content::Used(item) if slot.generation == place.generation => Some(item),
            _ => None,
        }
    }

    /// The item in this place.
    #[inline]
    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        let chunk = self.chunks.get_mut((place.slot / CHUNK) as usize)?;
        let slot = chunk.slots.get_mut((place.slot % CHUNK) as usize)?;
        match &mut slot.content {
            Content::Used(item) if slot.generation == place.generation => Some(item),
            _ => None,
        }
    }

    /// Removes an item.
    #[inline]
    pub(crate) fn remove(&mut self, place: Place) -> Option<T> {
        let index = place.slot / CHUNK;
        let chunk = self.chunks.get_mut(index as usize)?;
        let was_full = chunk.is_full();
        let item = chunk.remove(place)?;
        self.len -= 1;
        if was_full && !chunk.is_full() {
            self.with_room.push(Reverse(index));
            self.lowest = self.lowest.min(index);
        }
        if chunk.used == 0 {
            self.keep_empty(index);
        }
        Some(item)
    }

    /// All items, with their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Place, &T)> {
        (0..).zip(&self.chunks).flat_map(|(chunk, it)| {
            (chunk * CHUNK..).zip(&it.slots).filter_map(|(slot, it)| match &it.content {
                Content::Used(item) => Some((Place { slot, generation: it.generation }, item)),
                Content::Free(_) => None,
            })
        })
    }

    /// All items, with their places.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Place, &mut T)> {
        (0..).zip(&mut self.chunks).flat_map(|(chunk, it)| {
            (chunk * CHUNK..).zip(&mut it.slots).filter_map(|(slot, it)| match &mut it.content {
                Content::Used(item) => Some((Place { slot, generation: it.generation }, item)),
                Content::Free(_) => None,
            })
        })
    }

    /// Keeps the memory of one empty chunk: of two, the lower one, because it is used first.
    fn keep_empty(&mut self, index: u32) {
        let freed = self.spare.map(|spare| spare.max(index));
        self.spare = Some(self.spare.map_or(index, |spare| spare.min(index)));
        if let Some(freed) = freed.and_then(|freed| self.chunks.get_mut(freed as usize)) {
            freed.release();
        }
    }

    /// The number of slots for which memory is allocated.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.slots.capacity()).sum()
    }
}

impl<T> Chunk<T> {
    #[inline]
    fn is_full(&self) -> bool {
        self.free == NONE && (self.floor.is_none() || self.slots.len() >= CHUNK as usize)
    }

    #[inline]
    fn insert(&mut self, item: T) -> (u32, NonZeroU32) {
        self.used += 1;
        if let Some(slot) = self.slots.get_mut(self.free as usize) {
            let index = self.free;
            if let Content::Free(next) = std::mem::replace(&mut slot.content, Content::Used(item)) {
                self.free = next;
            }
            return (index, slot.generation);
        }
        let generation = self.floor.unwrap_or(NonZeroU32::MIN);
        let index = u32::try_from(self.slots.len()).unwrap_or(NONE);
        self.slots.push(Slot { generation, content: Content::Used(item) });
        (index, generation)
    }

    #[inline]
    fn remove(&mut self, place: Place) -> Option<T> {
        let index = place.slot % CHUNK;
        let slot = self.slots.get_mut(index as usize)?;
        if slot.generation != place.generation || matches!(slot.content, Content::Free(_)) {
            return None;
        }
        // A slot whose generations are used up is not added to the free list.
        let next = slot.generation.checked_add(1);
        let content = std::mem::replace(&mut slot.content, Content::Free(self.free));
        if let Some(next) = next {
            slot.generation = next;
            self.free = index;
        }
        self.used -= 1;
        match content {
            Content::Used(item) => Some(item),
            Content::Free(_) => None,
        }
    }

    /// Frees the memory of an empty chunk. When it is allocated again, its generations start above
    /// all present ones.
    fn release(&mut self) {
        let exhausted = |slot: &Slot<T>| slot.generation == NonZeroU32::MAX;
        let used_up = self.floor.is_none() || self.slots.iter().any(exhausted);
        let highest = self.slots.iter().map(|slot| slot.generation).max();
        self.floor = if used_up { None } else { highest.max(self.floor) };
        self.free = NONE;
        self.slots = Vec::new();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_never_given_twice() {
        let mut slab = Slab::default();
        let mut seen = std::collections::BTreeSet::new();
        // Bursts of all sizes, so that chunks are freed and allocated again.
        for size in [1, 64, 65, 200, 1, 1000, 3] {
            let places: Vec<Place> = (0..size).map(|number| slab.insert(number)).collect();
            assert!(places.iter().all(|place| seen.insert(*place)));
            let removed: Vec<_> = places.iter().rev().filter_map(|place| slab.remove(*place)).collect();
            assert_eq!(removed.len(), size);
        }
        assert!(seen.iter().all(|place| slab.get(*place).is_none() && slab.remove(*place).is_none()));
    }

    #[test]
    fn a_burst_gives_its_memory_back() {
        let mut slab = Slab::default();
        let places: Vec<Place> = (0..100_000).map(|number| slab.insert(number)).collect();
        let last = places.last().copied().unwrap();
        for place in places.iter().filter(|place| **place != last) {
            slab.remove(*place);
        }
        assert_eq!((slab.len(), slab.get(last)), (1, Some(&99_999)));
        assert!(slab.allocated() <= 2 * CHUNK as usize);
    }

    #[test]
    fn an_item_that_comes_and_goes_allocates_nothing_at_the_edge_of_a_chunk() {
        let mut slab = Slab::default();
        for number in 0..CHUNK {
            slab.insert(number);
        }
        let place = slab.insert(0);
        slab.remove(place);
        let allocated = slab.allocated();
        for _ in 0..3 {
            let place = slab.insert(0);
            assert_eq!(slab.allocated(), allocated);
            slab.remove(place);
        }
    }

    #[test]
    fn a_slot_whose_generations_are_used_up_is_used_no_more() {
        let mut slab = Slab::default();
        let place = slab.insert("old");
        slab.chunks.first_mut().unwrap().slots.first_mut().unwrap().generation = NonZeroU32::MAX;
        let last = Place { generation: NonZeroU32::MAX, ..place };
        assert_eq!(slab.remove(last), Some("old"));
        let next = slab.insert("new");
        assert_ne!(next.slot, place.slot);
        // The chunk is freed with it, and another takes its place.
        let places: Vec<Place> = (0..CHUNK).map(|_| slab.insert("more")).collect();
        for place in places.into_iter().rev() {
            slab.remove(place);
        }
        slab.remove(next);
        slab.chunks.first_mut().unwrap().release();
        let again = slab.insert("again");
        assert!(again.slot >= CHUNK);
    }
}
