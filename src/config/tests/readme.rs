//! Tests that the table in README.md is generated from the table of parameters.

use crate::config::parameters::ROWS;

/// The marks around the table in README.md.
const BEGIN: &str = "<!-- parameters: made of src/config/parameters/mod.rs -->\n";
const END: &str = "<!-- end of parameters -->";

/// The table in Markdown.
fn table() -> String {
    let mut table = String::from("\n| parameter | URL keys | default | meaning |\n|---|---|---|---|\n");
    for row in ROWS {
        let keys: Vec<_> = row.keys.iter().map(|key| format!("`{}`", key.name)).collect();
        // The links are for rustdoc only.
        let about = row.about.replace("](crate::ConnectionEvent::Backpressure)", "]").replace(['[', ']'], "");
        let about = about.replace("(ConnectionParameters::announced_properties)", "");
        let about = about.replace("(ConnectionParameters::low_water)", "");
        let about = about.replace("(crate::ErrorKind::Backpressure)", "");
        table.push_str(&format!("| `{}` | {} | {} | {about} |\n", row.field, keys.join(" "), row.default));
    }
    table.push('\n');
    table
}

/// `LEVERET_REFRESH_README=1 cargo test readme` writes the table again.
#[test]
fn the_readmes_table_of_parameters_is_the_codes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the README has the table's beginning");
    let (present, after) = rest.split_once(END).expect("the README has the table's end");
    if std::env::var_os("LEVERET_REFRESH_README").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(present, table(), "LEVERET_REFRESH_README=1 cargo test readme writes it anew");
}
