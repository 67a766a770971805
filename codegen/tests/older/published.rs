//! What the published older files say: the lists in `facts/`, which `facts/derive.py` made.

use std::path::Path;

use leveret_codegen::facts::facts;
use leveret_codegen::spec::Kind;
use leveret_codegen::{Source, Specification, emit};

use crate::{loaded, rebuilt, text};

/// A published file: its name, its list of facts, and how much of what is in it.
struct Published {
    file: &'static str,
    list: &'static str,
    counts: Counts,
    /// Warnings about the published file itself.
    warnings: usize,
}

/// How many there are of each.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    constants: usize,
    domains: usize,
    classes: usize,
    methods: usize,
    arguments: usize,
    properties: usize,
}

const FILES: [Published; 3] = [
    Published {
        file: "amqp0-8.stripped.xml",
        list: "0-8.txt",
        counts: Counts { constants: 26, domains: 15, classes: 12, methods: 89, arguments: 208, properties: 33 },
        warnings: 14,
    },
    Published {
        file: "amqp0-9.stripped.xml",
        list: "0-9.txt",
        counts: Counts { constants: 29, domains: 32, classes: 12, methods: 101, arguments: 248, properties: 33 },
        warnings: 5,
    },
    Published {
        file: "amqp0-9-1.qpid.stripped.xml",
        list: "0-9-1-qpid.txt",
        counts: Counts { constants: 24, domains: 26, classes: 6, methods: 55, arguments: 127, properties: 14 },
        warnings: 2,
    },
];

/// The specification that a list of facts describes.
pub(crate) fn rebuilt(list: &str) -> Specification {
    loaded(Source::new(list, rebuilt::xml(&text(&format!("facts/{list}")))))
}

/// The facts in a list.
fn listed(list: &str) -> Vec<String> {
    let text = text(&format!("facts/{list}"));
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn counts(specification: &Specification) -> Counts {
    let protocol = &specification.protocol;
    let methods = || protocol.classes.iter().flat_map(|class| &class.methods);
    Counts {
        constants: protocol.constants.len(),
        domains: specification.tree.children_of(Kind::Domain).count(),
        classes: protocol.classes.len(),
        methods: methods().count(),
        arguments: methods().map(|method| method.fields.len()).sum(),
        properties: protocol.classes.iter().map(|class| class.properties.len()).sum(),
    }
}

#[test]
fn a_rebuilt_specification_says_what_its_list_says() {
    for Published { list, .. } in FILES {
        assert_eq!(facts(&rebuilt(list).tree), listed(list), "{list}");
    }
}

#[test]
fn nothing_of_an_older_specification_is_lost() {
    for Published { list, counts: expected, .. } in FILES {
        assert_eq!(counts(&rebuilt(list)), expected, "{list}");
    }
}

#[test]
fn every_older_specification_becomes_rust() {
    for Published { list, .. } in FILES {
        let protocol = rebuilt(list).protocol;
        let rust = emit::protocol(&protocol).unwrap();
        for class in &protocol.classes {
            assert!(rust.contains(&format!("pub mod {} {{", class.name)), "{list}: {}", class.name);
        }
        assert!(emit::asynchronous(&protocol).unwrap().contains("pub fn queue_declare"), "{list}");
    }
}

/// The published files themselves, which are not here: their paths are in `LEVERET_SPECS`.
#[test]
#[ignore = "needs the published files, named in LEVERET_SPECS"]
fn the_published_files_say_what_the_lists_say() {
    let given = std::env::var("LEVERET_SPECS").unwrap();
    for path in given.split(':').map(Path::new) {
        let known = |published: &Published| path.file_name().is_some_and(|name| name == published.file);
        let found = FILES.into_iter().find(known);
        let Published { file, list, warnings, .. } = found.unwrap_or_else(|| panic!("no list for {}", path.display()));
        let published = loaded(Source::read(path).unwrap());
        assert_eq!(facts(&published.tree), listed(list), "{file}");
        // The published files have no prose, so what the lists leave out makes no difference.
        assert_eq!(published.protocol, rebuilt(list).protocol, "{file}");
        assert_eq!(published.warnings.len(), warnings, "{file}");
    }
}
