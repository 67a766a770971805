//! Bindings of the project's specification with an invented overlay, and of specifications by
//! themselves.

use std::{env, error::Error, fs, path::Path};

use leveret_codegen::{Source, emit, load};

/// Each is compiled as a module of tests/regenerated.rs. `LEVERET_SPECS` adds files of the
/// caller's, such as the published ones, separated by `:`.
const ALONE: [(&str, &[&str]); 5] = [
    ("standard", &["spec/amqp0-9-1.xml"]),
    ("invented", &["invented-protocol.xml"]),
    // Dialects of older specifications.
    ("older_spaces", &["../../codegen/tests/golden/older-spaces.xml"]),
    ("older_content", &["../../codegen/tests/golden/older-content.xml"]),
    ("older_mixed", &["../../codegen/tests/golden/older-mixed.xml"]),
];

fn main() -> Result<(), Box<dyn Error>> {
    // Features of leveret that this package lacks.
    println!(
        "cargo::rustc-check-cfg=cfg(feature, values(\"readiness\", \"blocking\", \"broker\", \"callback\", \"tls\"))"
    );
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    let extended = ["spec/amqp0-9-1.xml", "spec/rabbitmq.xml", "invented-overlay.xml"];
    for file in extended.iter().chain(&["build.rs"]) {
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rerun-if-env-changed=LEVERET_SPECS");
    leveret_codegen::generate_into(&extended, out)?;

    let mut modules = String::new();
    for (name, specs) in ALONE {
        for spec in specs {
            println!("cargo:rerun-if-changed={spec}");
        }
        modules += &module(out, name, specs)?;
    }
    let given = env::var("LEVERET_SPECS").unwrap_or_default();
    for (number, spec) in given.split(':').filter(|path| !path.is_empty()).enumerate() {
        println!("cargo:rerun-if-changed={spec}");
        modules += &module(out, &format!("given_{number}"), &[spec])?;
    }
    fs::write(out.join("alone.rs"), modules)?;
    Ok(())
}

/// Generates the bindings of `specs`, and gives the module that includes them.
fn module(out: &Path, name: &str, specs: &[&str]) -> Result<String, Box<dyn Error>> {
    let sources = specs.iter().map(Source::read).collect::<Result<Vec<_>, _>>()?;
    let protocol = load(&sources)?;
    fs::write(out.join(format!("{name}.rs")), emit::protocol(&protocol)?)?;
    Ok(format!("pub mod {name} {{ include!(concat!(env!(\"OUT_DIR\"), \"/{name}.rs\")); }}\n"))
}
