//! A list in order of insertion, from which any item can be removed in constant time.

use super::slab::{Place, Slab};

/// The list. A [`Place`] identifies an item while it is in the list, and afterwards never
/// identifies another.
#[derive(Debug)]
pub(crate) struct LinkedSlab<T> {
    nodes: Slab<Node<T>>,
    ends: Option<Ends>,
}

#[derive(Debug, Clone, Copy)]
struct Ends {
    front: Place,
    back: Place,
}

#[derive(Debug)]
struct Node<T> {
    previous: Option<Place>,
    next: Option<Place>,
    item: T,
}

impl<T> Default for LinkedSlab<T> {
    fn default() -> Self {
        Self { nodes: Slab::default(), ends: None }
    }
}

impl<T> LinkedSlab<T> {
    /// Adds an item at the back.
    pub(crate) fn push_back(&mut self, item: T) -> Place {
        let back = self.ends.map(|ends| ends.back);
        let place = self.nodes.insert(Node { previous: back, next: None, item });
        if let Some(node) = back.and_then(|back| self.nodes.get_mut(back)) {
            node.next = Some(place);
        }
        let front = self.ends.map_or(place, |ends| ends.front);
        self.ends = Some(Ends { front, back: place });
        place
    }

    /// Adds an item at the front.
    pub(crate) fn push_front(&mut self, item: T) -> Place {
        let front = self.front_place();
        let place = self.nodes.insert(Node { previous: None, next: front, item });
        if let Some(node) = front.and_then(|front| self.nodes.get_mut(front)) {
            node.previous = Some(place);
        }
        let back = self.ends.map_or(place, |ends| ends.back);
        self.ends = Some(Ends { front: place, back });
        place
    }

    /// Removes the item in this place.
    pub(crate) fn remove(&mut self, place: Place) -> Option<T> {
        let Node { previous, next, item } = self.nodes.remove(place)?;
        if let Some(node) = previous.and_then(|previous| self.nodes.get_mut(previous)) {
            node.next = next;
        }
        if let Some(node) = next.and_then(|next| self.nodes.get_mut(next)) {
            node.previous = previous;
        }
        self.ends = self.ends.and_then(|Ends { front, back }| {
            let front = if front == place { next? } else { front };
            let back = if back == place { previous? } else { back };
            Some(Ends { front, back })
        });
        Some(item)
    }

    /// The oldest item.
    pub(crate) fn front(&self) -> Option<&T> {
        self.get(self.front_place()?)
    }

    /// The place of the oldest item.
    pub(crate) fn front_place(&self) -> Option<Place> {
        self.ends.map(|ends| ends.front)
    }

    /// Removes the oldest item.
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.remove(self.front_place()?)
    }

    /// The item in this place.
    pub(crate) fn get(&self, place: Place) -> Option<&T> {
        self.nodes.get(place).map(|node| &node.item)
    }

    /// The item in this place.
    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        self.nodes.get_mut(place).map(|node| &mut node.item)
    }

    /// The newest item.
    pub(crate) fn back(&self) -> Option<&T> {
        self.get(self.ends.map(|ends| ends.back)?)
    }

    /// All items with their places, in no order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Place, &T)> {
        self.nodes.iter().map(|(place, node)| (place, &node.item))
    }

    /// The number of items.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether the list is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// Removes all items, the oldest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        std::iter::from_fn(|| self.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list<const N: usize>(items: [u32; N]) -> (LinkedSlab<u32>, [Place; N]) {
        let mut list = LinkedSlab::default();
        let places = items.map(|item| list.push_back(item));
        (list, places)
    }

    fn items(list: &LinkedSlab<u32>) -> Vec<u32> {
        let nodes = std::iter::successors(list.ends.map(|ends| ends.front), |place| list.nodes.get(*place)?.next);
        nodes.filter_map(|place| list.get(place).copied()).collect()
    }

    #[test]
    fn items_come_out_in_the_order_in_which_they_came() {
        let (mut list, _) = list([1, 2, 3]);
        assert_eq!((list.front(), list.len()), (Some(&1), 3));
        assert_eq!([list.pop_front(), list.pop_front()], [Some(1), Some(2)]);
        list.push_back(4);
        assert_eq!(list.drain().collect::<Vec<_>>(), [3, 4]);
        assert!(list.is_empty() && list.pop_front().is_none());
    }

    #[test]
    fn an_item_that_is_added_at_the_front_comes_out_first() {
        let (mut list, [first]) = list([1]);
        let added = list.push_front(2);
        list.push_back(3);
        assert_eq!(items(&list), [2, 1, 3]);
        assert_eq!((list.remove(added), list.remove(first)), (Some(2), Some(1)));
        assert_eq!(list.drain().collect::<Vec<_>>(), [3]);
        list.push_front(4);
        list.push_front(5);
        assert_eq!(list.drain().collect::<Vec<_>>(), [5, 4]);
    }

    #[test]
    fn an_item_leaves_from_the_front_the_middle_and_the_back() {
        let (mut list, [first, second, third, fourth]) = list([1, 2, 3, 4]);
        assert_eq!(list.remove(second), Some(2));
        assert_eq!(items(&list), [1, 3, 4]);
        assert_eq!(list.remove(fourth), Some(4));
        assert_eq!(list.remove(first), Some(1));
        assert_eq!(items(&list), [3]);
        list.push_back(5);
        assert_eq!(items(&list), [3, 5]);
        assert_eq!(list.remove(third), Some(3));
        assert_eq!(items(&list), [5]);
    }

    #[test]
    fn the_place_of_an_item_that_is_gone_is_harmless() {
        let (mut list, [gone, _]) = list([1, 2]);
        list.remove(gone);
        let successor = list.push_back(3);
        assert_eq!(successor.slot, gone.slot);
        assert_eq!(list.get(gone), None);
        assert_eq!(list.remove(gone), None);
        assert_eq!(list.get(successor), Some(&3));
        assert_eq!(items(&list), [2, 3]);
    }
}
