//! Generates the friendly methods of the scenarios' client from the specification, as the crate
//! does for each of its own.

use std::{env, error::Error, fs, path::Path};

use leveret_codegen::{emit, load, read};

fn main() -> Result<(), Box<dyn Error>> {
    let specs = ["../../spec/amqp0-9-1.xml", "../../spec/rabbitmq.xml"];
    for file in specs.iter().chain(&["build.rs"]) {
        println!("cargo:rerun-if-changed={file}");
    }
    let requests = emit::asynchronous(&load(&read(&specs)?)?)?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("requests.rs"), requests)?;
    Ok(())
}
