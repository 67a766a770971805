//! Generates leveret's AMQP 0-9-1 wire bindings from the protocol's XML specification.
//!
//! A specification is a file in the format of the published `amqp0-9-1.xml`, followed by any number
//! of overlays in the same format. Each overlay adds to what comes before it, or changes it. Rust
//! is generated in four steps, each of which uses only the result of the one before:
//!
//! 1. parse: XML to a tree ([`spec`]) with the position of everything;
//! 2. merge: overlays onto the tree of the base;
//! 3. resolve: the tree to a [`model`] in which every field has its wire type and every method its
//!    replies;
//! 4. [`emit`]: the model to formatted Rust.
//!
//! The format is that of 0-9-1, with the differences of the published files of 0-8 and 0-9. The
//! reader is strict about everything that affects the bindings, and lenient about prose and
//! asserts: what it does not know there is reported as a [`Warning`], which [`Specification::load`]
//! returns besides the protocol.
//!
//! All problems of a specification are found before anything is returned, each with its file, line
//! and column:
//!
//! ```
//! use leveret_codegen::{Source, load};
//!
//! let text = "<amqp major='0' minor='9' revision='1' port='5672'>
//!     <class name='queue' index='50'>
//!         <method name='move' index='60'>
//!             <chassis name='server' implement='MUST'/>
//!             <field name='queue' domain='queue-name'/>
//!         </method>
//!     </class>
//! </amqp>";
//! let errors = load(&[Source::new("spec.xml", text)]).unwrap_err();
//! assert_eq!(
//!     errors.to_string(),
//!     "spec.xml:5:33: /amqp/class[queue]/method[move]/field[queue]: unknown domain `queue-name`"
//! );
//! ```

pub mod diff;
pub mod emit;
pub mod facts;
mod ident;
mod merge;
pub mod model;
mod parse;
mod problem;
mod resolve;
mod source;
pub mod spec;
mod warning;

use std::path::Path;

pub use problem::{Errors, Position, Problem};
pub use source::Source;
pub use warning::Warning;

use crate::model::Protocol;
use crate::problem::Problems;
use crate::spec::Element;

/// Reads a base and its overlays, in this order, and resolves the result.
///
/// # Errors
///
/// Returns all problems at once.
pub fn load(sources: &[Source]) -> Result<Protocol, Errors> {
    Specification::load(sources).map(|specification| specification.protocol)
}

/// A base with its overlays: the merged tree, the protocol, and the warnings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Specification {
    /// The tree of the merged specification.
    pub tree: Element,
    /// The protocol to which the tree resolves.
    pub protocol: Protocol,
    /// What was ignored, in the order of the sources.
    pub warnings: Vec<Warning>,
}

impl Specification {
    /// The same as [`load`], with the tree and the warnings.
    ///
    /// # Errors
    ///
    /// Returns all problems at once.
    pub fn load(sources: &[Source]) -> Result<Self, Errors> {
        let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
        let mut problems = Problems::default();
        let trees: Vec<Option<Element>> = sources.iter().map(|source| parse::tree(source, &mut problems)).collect();
        // Without the tree of one file, everything that refers to it would look wrong.
        let trees = trees.into_iter().collect::<Option<Vec<Element>>>();
        let merged = trees.and_then(|trees| merge::all(trees, &mut problems));
        let resolved = merged.map(|tree| (resolve::protocol(&tree, &mut problems), tree));
        let warnings = problems.finish(&names)?;
        match resolved {
            Some((protocol, tree)) => Ok(Self { tree, protocol, warnings }),
            None => Err(Problem::with_file("specification", "there is none to read").into()),
        }
    }
}

/// Reads the files of a base and its overlays, in this order.
///
/// # Errors
///
/// Returns an error for every file that cannot be read.
pub fn read(specs: &[impl AsRef<Path>]) -> Result<Vec<Source>, Errors> {
    let mut problems = Problems::default();
    let mut sources = Vec::new();
    for spec in specs {
        match Source::read(spec) {
            Ok(source) => sources.push(source),
            Err(errors) => problems.extend(errors),
        }
    }
    problems.finish(&[])?;
    Ok(sources)
}

/// Generates `protocol.rs`, and the methods of each API in `asynchronous.rs` and `callback.rs`, in
/// `out_dir` from the files of a base and its overlays. For build scripts.
///
/// # Errors
///
/// Returns all problems of the specification at once, or an error for a file that cannot be read or
/// written.
pub fn generate_into(specs: &[impl AsRef<Path>], out_dir: &Path) -> Result<(), Errors> {
    let protocol = load(&read(specs)?)?;
    let files = [
        ("protocol.rs", emit::protocol(&protocol)?),
        ("asynchronous.rs", emit::asynchronous(&protocol)?),
        ("callback.rs", emit::callback(&protocol)?),
    ];
    for (name, text) in files {
        let path = out_dir.join(name);
        std::fs::write(&path, text)
            .map_err(|error| Problem::with_file(&path.display().to_string(), format!("cannot be written: {error}")))?;
    }
    Ok(())
}
