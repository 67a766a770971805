//! The command: what it prints, and its exit codes.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const BASE: &str = "<amqp major='0' minor='9' revision='1' port='5672'>
<domain name='bit' type='bit'/>
<class name='queue' index='50'>
<method name='move' index='60'><chassis name='server' implement='MUST'/><field name='fast' domain='bit'/></method>
</class>
</amqp>";
const OVERLAY: &str = "<amqp><class name='queue'><method name='move' deprecated='1'/></class></amqp>";

/// What a run of the command left.
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A folder of the test's own, with the files `base.xml`, `overlay.xml`, `moved.xml` and
/// `wrong.xml`.
fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("base.xml"), BASE).unwrap();
    fs::write(folder.join("overlay.xml"), OVERLAY).unwrap();
    fs::write(folder.join("moved.xml"), BASE.replace("60", "70")).unwrap();
    fs::write(folder.join("wrong.xml"), BASE.replace("'bit' type='bit'", "'bit' type='bits'")).unwrap();
    folder
}

/// Runs the command in a folder.
fn run(folder: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leveret-codegen"));
    let output = command.current_dir(folder).args(arguments).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    Run { code: output.status.code(), out, err }
}

#[test]
fn check_counts_what_is_in_a_specification_with_nothing_wrong() {
    let run = run(&folder("check-fine"), &["check", "base.xml", "overlay.xml"]);
    let line = "base.xml + overlay.xml: 0 constants, 1 domains, 1 classes, 1 methods, 0 properties; nothing is wrong\n";
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), line, ""));
}

#[test]
fn check_reports_everything_wrong_and_fails() {
    let run = run(&folder("check-wrong"), &["check", "wrong.xml", "overlay.xml", "overlay.xml"]);
    let types = "`bit`, `octet`, `short`, `long`, `longlong`, `shortstr`, `longstr`, `timestamp`, `table`, `content`";
    let expected = format!(
        "wrong.xml:2:20: /amqp/domain[bit]: unknown type `bits`: there are {types}\n\
         overlay.xml:1:27: /amqp/class[queue]/method[move]: changes nothing: the base already says so\n"
    );
    assert_eq!((run.code, run.out.as_str(), run.err), (Some(1), "", expected));
}

#[test]
fn warnings_go_to_stderr_and_change_no_exit_code() {
    let folder = folder("warnings");
    fs::write(folder.join("prose.xml"), BASE.replace("<field", "<see name='more'/><field")).unwrap();
    let warning = "prose.xml:4:73: warning: /amqp/class[queue]/method[move]: `see` is passed over\n";
    let checked = run(&folder, &["check", "prose.xml"]);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), warning));
    assert!(checked.out.ends_with("; nothing is wrong, 1 warning\n"), "{}", checked.out);
    for arguments in [["generate", "prose.xml"].as_slice(), &["facts", "prose.xml"], &["diff", "base.xml", "prose.xml"]]
    {
        let run = run(&folder, arguments);
        assert_eq!((run.code, run.err.as_str()), (Some(0), warning), "{arguments:?}");
    }
}

#[test]
fn a_file_that_is_not_there_fails() {
    let run = run(&folder("missing"), &["check", "none.xml", "nor.xml"]);
    assert_eq!(run.code, Some(1));
    let lines: Vec<&str> = run.err.lines().collect();
    assert!(
        matches!(lines.as_slice(), [one, two] if one.starts_with("none.xml: cannot be read: ") && two.starts_with("nor.xml: "))
    );
}

#[test]
fn wrong_usage_has_a_code_of_its_own() {
    let folder = folder("usage");
    assert_eq!(run(&folder, &["check"]).code, Some(2));
    assert_eq!(run(&folder, &["generate", "base.xml", "--adapter", "telepathic"]).code, Some(2));
}

#[test]
fn the_help_explains_the_exit_codes() {
    let run = run(&folder("help"), &["diff", "--help"]);
    assert_eq!(run.code, Some(0));
    assert!(run.out.contains("4  diff: there are differences, and some break something"));
}

#[test]
fn facts_prints_a_line_for_each() {
    let run = run(&folder("facts"), &["facts", "base.xml", "overlay.xml"]);
    let expected = "protocol major 0 minor 9 revision 1 port 5672\n\
        domain bit bit\n\
        class queue 50 handler\n\
        method queue.move 60 deprecated\n\
        method queue.move chassis server MUST\n\
        field queue.move.fast domain bit\n";
    assert_eq!((run.code, run.out.as_str()), (Some(0), expected));
}

#[test]
fn generate_prints_rust_or_writes_it_to_a_file() {
    let folder = folder("generate");
    let printed = run(&folder, &["generate", "base.xml"]);
    assert_eq!(printed.code, Some(0));
    assert!(printed.out.contains("pub struct Move"));
    let written = run(&folder, &["generate", "base.xml", "--out", "protocol.rs"]);
    assert_eq!((written.code, written.out.as_str()), (Some(0), ""));
    assert_eq!(fs::read_to_string(folder.join("protocol.rs")).unwrap(), printed.out);
    assert_eq!(run(&folder, &["generate", "base.xml", "--out", "none/protocol.rs"]).code, Some(1));
}

#[test]
fn generate_prints_the_methods_of_an_adapter() {
    let run = run(&folder("adapter"), &["generate", "base.xml", "--adapter", "asynchronous"]);
    assert_eq!(run.code, Some(0));
    assert!(run.out.contains("pub fn queue_move"));
    assert!(!run.out.contains("pub struct Move"));
    let with_state = self::run(&folder("adapter"), &["generate", "base.xml", "--adapter", "callback"]);
    assert_eq!(with_state.code, Some(0));
    let stateless = with_state.out.replace("<S: 'static>", "").replace("Channel<S>", "Channel").replace("S, ", "");
    assert!(with_state.out.contains("impl<S: 'static> Channel<S>"));
    assert_eq!(stateless, run.out);
}

#[test]
fn diff_tells_by_its_exit_code_whether_anything_breaks() {
    let folder = folder("diff");
    let same = run(&folder, &["diff", "base.xml", "base.xml"]);
    assert_eq!((same.code, same.out.as_str()), (Some(0), "no difference\n"));
    let compatible = run(&folder, &["diff", "base.xml", "base.xml+overlay.xml"]);
    let line = "compatible changed method `queue.move`: deprecated no → yes\n";
    assert_eq!((compatible.code, compatible.out.as_str()), (Some(3), line));
    let breaking = run(&folder, &["diff", "base.xml", "moved.xml"]);
    let line = "breaking   changed method `queue.move`: index 60 → 70\n";
    assert_eq!((breaking.code, breaking.out.as_str()), (Some(4), line));
    assert_eq!(run(&folder, &["diff", "base.xml", "wrong.xml"]).code, Some(1));
}

#[test]
fn diff_prints_json_for_programs() {
    let folder = folder("json");
    let changed = run(&folder, &["diff", "--json", "base.xml", "moved.xml"]);
    assert_eq!(changed.code, Some(4));
    let json: serde_json::Value = serde_json::from_str(&changed.out).unwrap();
    let expected = serde_json::json!([{
        "breaking": true,
        "action": "changed",
        "kind": "method",
        "name": "queue.move",
        "aspect": "index",
        "old": "60",
        "new": "70",
    }]);
    assert_eq!(json, expected);
    let same = run(&folder, &["diff", "--json", "base.xml", "base.xml"]);
    assert_eq!((same.code, same.out.as_str()), (Some(0), "[]\n"));
}

#[test]
fn a_plus_sign_in_the_name_of_a_file_is_just_that() {
    let folder = folder("plus");
    fs::write(folder.join("a+b.xml"), BASE).unwrap();
    assert_eq!(run(&folder, &["diff", "a+b.xml", "base.xml"]).code, Some(0));
}
