//! The methods of the published specification with the types of their arguments, from
//! `layouts.txt`.

use leveret::protocol::MethodId;

/// A method and what its arguments are on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) id: MethodId,
    pub(crate) name: String,
    pub(crate) arguments: Vec<Argument>,
}

/// One argument: its type in the specification's words.
#[derive(Debug, Clone)]
pub(crate) struct Argument {
    pub(crate) wire: String,
    pub(crate) reserved: bool,
}

/// Every method, in the order of the specification.
pub(crate) fn layouts() -> Vec<Layout> {
    include_str!("layouts.txt").lines().filter(|line| !line.starts_with('#')).map(layout).collect()
}

fn layout(line: &str) -> Layout {
    let mut words = line.split(' ');
    let (class, method) = words.next().and_then(|ids| ids.split_once('.')).expect("class and method ids");
    let id = MethodId::new(class.parse().expect("a class id"), method.parse().expect("a method id"));
    let name = words.next().expect("a name").to_owned();
    let arguments = words
        .map(|word| match word.strip_prefix('-') {
            Some(wire) => Argument { wire: wire.to_owned(), reserved: true },
            None => Argument { wire: word.to_owned(), reserved: false },
        })
        .collect();
    Layout { id, name, arguments }
}
