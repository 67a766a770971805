//! PEM files in which what is needed is not: the error names the URL's key and the file.

use std::fs;
use std::path::{Path, PathBuf};

use leveret::config::{Pem, Tls};
use leveret_live_tests::secure::{MUTUAL, PASSWORD, TlsPort, identified_by, path, trusting};
use leveret_live_tests::unique;

use crate::refused;

/// How a setting that is read from a file is given a file.
type Setting = fn(PathBuf) -> Tls;

/// Each of them, and its key in a URL.
const SETTINGS: [(&str, Setting); 3] = [
    ("cacertfile", |file| trusting().ca(Pem::file(file))),
    ("certfile", |file| identified_by("client").server_name(MUTUAL).certificate(Pem::file(file))),
    ("keyfile", |file| identified_by("client").server_name(MUTUAL).key(Pem::file(file)).key_password(PASSWORD)),
];

/// A file with this text, beside the certificates, with which it goes away.
fn file(text: &[u8]) -> PathBuf {
    let file = path(&format!("{}.pem", unique("file")));
    fs::write(&file, text).expect("a file is written");
    file
}

/// None of the settings does with this file, and each error says which one and names it.
async fn assert_no_setting_takes(file: &Path) {
    for (key, with) in SETTINGS {
        assert_refused(key, file, with(file.to_owned())).await;
    }
}

async fn assert_refused(key: &str, file: &Path, tls: Tls) {
    let error = refused(TlsPort::Modern.parameters(tls)).await;
    let told = error.to_string();
    let file = file.display().to_string();
    assert!(told.contains(key) && told.contains(&file), "{key} and {file} are not both in: {told}");
    assert!(!error.is_retryable(), "{told}");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    assert_no_setting_takes(&path("missing.pem")).await;
}

// For root every file is readable; a folder is for nobody.
#[tokio::test]
async fn an_unreadable_file_is_named() {
    let folder = path(&unique("folder"));
    fs::create_dir(&folder).expect("a folder is made");
    assert_no_setting_takes(&folder).await;
}

#[tokio::test]
async fn an_empty_file_is_named() {
    assert_no_setting_takes(&file(b"")).await;
}

#[tokio::test]
async fn a_file_without_pem_in_it_is_named() {
    assert_no_setting_takes(&file(b"Mary had a little lamb,\nits fleece was white as snow.\n")).await;
    assert_no_setting_takes(&file(&[0x30, 0x82, 0xff, 0xfe, 0, 1, 2, 3])).await;
}

#[tokio::test]
async fn a_file_with_pem_that_is_cut_off_or_garbled_is_named() {
    for label in ["CERTIFICATE", "PRIVATE KEY", "ENCRYPTED PRIVATE KEY"] {
        let garbled = format!("-----BEGIN {label}-----\n!!!! ???? !!!!\n-----END {label}-----\n");
        assert_no_setting_takes(&file(garbled.as_bytes())).await;
        let no_der = format!("-----BEGIN {label}-----\nTWFyeSBoYWQgYSBsaXR0bGUgbGFtYg==\n-----END {label}-----\n");
        assert_no_setting_takes(&file(no_der.as_bytes())).await;
    }
    for whole in ["authority.pem", "client.key"] {
        let octets = fs::read(path(whole)).expect("it was made");
        assert_no_setting_takes(&file(&octets[..octets.len() / 2])).await;
    }
}

#[tokio::test]
async fn a_file_with_something_else_in_it_is_named() {
    for (key, with) in SETTINGS {
        let other = path(if key == "keyfile" { "client.pem" } else { "client.key" });
        assert_refused(key, &other, with(other.clone())).await;
    }
}

#[tokio::test]
async fn what_is_wrong_in_memory_is_told_by_its_key() {
    let text = "Mary had a little lamb";
    for (key, tls) in [
        ("cacertfile", trusting().ca(Pem::memory(text))),
        ("certfile", identified_by("client").certificate(Pem::memory(text))),
        ("keyfile", identified_by("client").key(Pem::memory(text))),
    ] {
        let error = refused(TlsPort::Modern.parameters(tls)).await;
        assert!(error.to_string().contains(key), "{error}");
        assert!(!format!("{error} {error:?}").contains("lamb"), "what may be a key is not shown");
    }
}
