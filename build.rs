//! Generates the wire bindings from the specification; everything else is in `leveret-codegen`.
use std::{env, error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let specs = ["spec/amqp0-9-1.xml", "spec/rabbitmq.xml"];
    for file in specs.iter().chain(&["build.rs"]) {
        println!("cargo:rerun-if-changed={file}");
    }
    let out = env::var("OUT_DIR")?;
    leveret_codegen::generate_into(&specs, Path::new(&out))?;
    Ok(())
}
