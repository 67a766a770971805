//! The TLS ports of the private broker, and the certificates that `tests/certificates` made for
//! both sides.

use std::path::PathBuf;
use std::{env, fs};

use leveret::ConnectionParameters;
use leveret::config::{Pem, Tls};

use crate::command::run;
use crate::variable;

/// A TLS port. Each asks for a client's certificate and does without, unless it is asked for
/// [`MUTUAL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsPort {
    /// It takes TLS 1.3, and has a certificate for `localhost` and 127.0.0.1.
    Modern,
    /// It takes TLS 1.2 alone, and has a certificate for `localhost`.
    Old,
}

/// The server name at which the broker insists on a client's certificate. Its own is for this name
/// too.
pub const MUTUAL: &str = "mutual.test";

/// The server name at which the broker shows a certificate that has expired.
pub const EXPIRED: &str = "expired.test";

/// The user that the client's certificates name.
pub const USER: &str = "mole";

/// The password of `client.encrypted.key`.
pub const PASSWORD: &str = "under the lawn";

impl TlsPort {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Modern, Self::Old];

    /// Its URL, with a user and without a path.
    pub fn url(self) -> String {
        match self {
            Self::Modern => variable("LEVERET_TEST_AMQPS_URL"),
            Self::Old => variable("LEVERET_TEST_TLS12_AMQPS_URL"),
        }
    }

    /// `HOST:PORT`, as it stands in the URL.
    pub fn address(self) -> String {
        let url = self.url();
        url.rsplit_once('@').map_or(url.as_str(), |(_, address)| address).to_owned()
    }

    /// The parameters of a connection to it, with these settings.
    pub fn parameters(self, tls: Tls) -> ConnectionParameters {
        ConnectionParameters::from_url(&self.url()).expect("the URL of a TLS port").tls(tls)
    }
}

/// The path of a file that `tests/certificates` made, or of one to put beside them.
pub fn path(file: &str) -> PathBuf {
    PathBuf::from(variable("LEVERET_TEST_CERTIFICATES")).join(file)
}

/// The PEM file of this name.
pub fn pem(file: &str) -> Pem {
    Pem::file(path(file))
}

/// What the broker of [`TlsPort::Modern`] has written into its log.
pub fn log() -> String {
    let octets = fs::read(variable("LEVERET_TEST_LOG")).expect("the broker has a log");
    String::from_utf8_lossy(&octets).into_owned()
}

/// Trusts the authority of the broker, and takes its certificate for `localhost`, which every port
/// has.
pub fn trusting() -> Tls {
    Tls::default().ca(pem("authority.pem")).server_name("localhost")
}

/// The same with a certificate, `client`, `stranger` or `late`, and its key.
pub fn identified_by(name: &str) -> Tls {
    trusting().certificate(pem(&format!("{name}.pem"))).key(pem(&format!("{name}.key")))
}

/// Runs a scenario once more, in a process of its own with this variable: what a process reads of
/// its system it keeps.
pub async fn run_again_with(variable: &str, value: &str, scenario: &str) {
    let program = env::current_exe().expect("a test knows where it is");
    let arguments = [&format!("{variable}={value}"), &program.display().to_string(), scenario, "--exact"];
    let said = run("env".to_owned(), arguments.map(str::to_owned).to_vec()).await;
    assert!(said.contains("test result: ok. 1 passed"), "{said}");
}
