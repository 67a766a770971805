//! What the golden files and the page `GENERATED.md` must say: compared by the tests, written by
//! the example `refresh-golden`.

mod page;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use leveret_codegen::{Source, emit, load, model::Protocol};

/// A file, and what must be in it.
pub(crate) struct Expected {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What must be in it.
    pub(crate) text: String,
}

/// The folder of the fixtures.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The XML files of the folder, sorted.
pub(crate) fn fixtures() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let entries = fs::read_dir(folder())?.collect::<Result<Vec<_>, _>>()?;
    let mut fixtures: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).collect();
    fixtures.retain(|path| path.extension().is_some_and(|extension| extension == "xml"));
    fixtures.sort();
    Ok(fixtures)
}

/// The protocol in a fixture. Its name in errors is the file's alone.
pub(crate) fn resolved(fixture: &Path) -> Result<Protocol, Box<dyn Error>> {
    let name = fixture.file_name().unwrap_or_default().to_string_lossy();
    Ok(load(&[Source::new(name, fs::read_to_string(fixture)?)])?)
}

/// The Rust that must come of a fixture: `NAME.asynchronous.xml` is for the friendly methods,
/// `NAME.xml` for the bindings.
pub(crate) fn generated(fixture: &Path) -> Result<String, Box<dyn Error>> {
    let protocol = resolved(fixture)?;
    let friendly = fixture.to_string_lossy().ends_with(".asynchronous.xml");
    Ok(if friendly { emit::asynchronous(&protocol)? } else { emit::protocol(&protocol)? })
}

/// Every golden file, and the page.
pub(crate) fn all() -> Result<Vec<Expected>, Box<dyn Error>> {
    let mut files = Vec::new();
    for fixture in fixtures()? {
        files.push(Expected { text: generated(&fixture)?, path: fixture.with_extension("rs") });
    }
    files.push(page::expected()?);
    Ok(files)
}
