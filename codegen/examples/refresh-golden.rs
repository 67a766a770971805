//! Writes the golden files in `tests/golden` and the code in `GENERATED.md` anew, from what the
//! generator makes now:
//!
//!     cargo run -p leveret-codegen --example refresh-golden
//!
//! Read the difference before it is committed: it is what every user of the bindings will get.

#[path = "../tests/expected/mod.rs"]
mod expected;

use std::{
    error::Error,
    fs,
    io::{self, Write},
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for expected::Expected { path, text } in expected::all()? {
        let changed = fs::read_to_string(&path).ok().is_none_or(|old| old != text);
        if changed {
            fs::write(&path, text)?;
        }
        writeln!(out, "{} {}", if changed { "wrote" } else { "kept " }, path.display())?;
    }
    Ok(())
}
