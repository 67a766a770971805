//! TLS: whom to trust, and who the client is. The settings are here whatever the features; they
//! need the feature `tls` to connect.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Secret, SecretOctets, Setting};

/// How a connection over TLS is made: `amqps`.
///
/// The default trusts whom the operating system trusts, checks the broker's certificate against the
/// host's name, and has no certificate of its own.
///
/// ```
/// use leveret::config::{ConnectionParameters, Pem, Tls};
///
/// let tls = Tls::default().ca(Pem::file("ca.pem")).certificate(Pem::file("client.pem")).key(Pem::file("client.key"));
/// let by_field = ConnectionParameters::default().host("rabbit.example").tls(tls);
/// # if cfg!(feature = "tls") {
/// let url = "amqps://rabbit.example?cacertfile=ca.pem&certfile=client.pem&keyfile=client.key";
/// assert_eq!(ConnectionParameters::from_url(url)?.to_string(), by_field.to_string());
/// # }
/// # Ok::<(), leveret::config::ParametersError>(())
/// ```
#[doc(alias = "SSLOptions")]
#[derive(Clone)]
#[non_exhaustive]
pub struct Tls {
    /// The certificates of the authorities that are trusted, in place of the operating system's.
    ///
    /// The broker's own certificate may be among them, such as a self-signed one that
    /// `openssl req -x509` made. A broker that shows exactly one of these certificates is trusted
    /// whoever signed it, and whether or not it is marked as an authority's. It still has to be for
    /// the host's name (its subjectAltName is what counts), within its time, and the broker has to
    /// prove that it has the key.
    pub ca: Option<Pem>,
    /// The client's certificate, and those that lead from it to an authority.
    pub certificate: Option<Pem>,
    /// The private key of the certificate; none looks for it beside the certificate.
    pub key: Option<Pem>,
    /// The password of an encrypted key (PKCS #8).
    pub key_password: Option<Secret>,
    /// The name that the broker's certificate has to be for, and that the broker is told (SNI);
    /// none is the endpoint's host.
    pub server_name: Option<String>,
    /// The broker is told the name (SNI).
    pub send_server_name: bool,
    /// The broker's certificate is checked. See [`Tls::dangerously_skip_verification`].
    pub verify: bool,
    /// RabbitMQ's key `fail_if_no_peer_cert`, kept for printing. It changes nothing: a broker
    /// without a certificate is refused whatever this says.
    pub fail_if_no_peer_cert: Option<bool>,
    /// A configuration of rustls, in place of everything here but the names.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    pub client_config: Option<Arc<rustls::ClientConfig>>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            ca: None,
            certificate: None,
            key: None,
            key_password: None,
            server_name: None,
            send_server_name: true,
            verify: true,
            fail_if_no_peer_cert: None,
            #[cfg(feature = "tls")]
            client_config: None,
        }
    }
}

/// Setters. Each of those that set something optional takes `None` to undo it.
impl Tls {
    /// Trusts these authorities, and no others; or the broker's [own
    /// certificate](Self#structfield.ca).
    #[must_use]
    pub fn ca(mut self, ca: impl Into<Option<Pem>>) -> Self {
        self.ca = ca.into();
        self
    }

    /// Shows this certificate to a broker that asks for one.
    #[must_use]
    pub fn certificate(mut self, certificate: impl Into<Option<Pem>>) -> Self {
        self.certificate = certificate.into();
        self
    }

    /// The private key of the certificate.
    #[must_use]
    pub fn key(mut self, key: impl Into<Option<Pem>>) -> Self {
        self.key = key.into();
        self
    }

    /// The password of an encrypted private key.
    #[must_use]
    pub fn key_password(mut self, password: impl Into<Setting<Secret>>) -> Self {
        self.key_password = password.into().into_option();
        self
    }

    /// The name that the broker's certificate has to be for, where that is not the endpoint's host.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<Setting<String>>) -> Self {
        self.server_name = name.into().into_option();
        self
    }

    /// Whether the broker is told the name (SNI); it is unless this says no.
    #[must_use]
    pub fn send_server_name(mut self, send: bool) -> Self {
        self.send_server_name = send;
        self
    }

    /// **Takes whatever certificate the other side shows**: whoever is on the way can read and
    /// change everything, passwords included. For experiments. In a URL: `verify=verify_none`.
    #[must_use]
    pub fn dangerously_skip_verification(mut self) -> Self {
        self.verify = false;
        self
    }

    /// A configuration of rustls that was made elsewhere, in place of authorities, certificate, key
    /// and verification.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn client_config(mut self, config: impl Into<Option<Arc<rustls::ClientConfig>>>) -> Self {
        self.client_config = config.into();
        self
    }
}

/// Stands for a configuration of rustls.
#[cfg(feature = "tls")]
struct AConfiguration;

#[cfg(feature = "tls")]
impl fmt::Debug for AConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<a configuration of rustls>")
    }
}

impl fmt::Debug for Tls {
    /// A configuration of rustls is shown as being there: what is in it is its maker's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Tls");
        fields
            .field("ca", &self.ca)
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .field("key_password", &self.key_password)
            .field("server_name", &self.server_name)
            .field("send_server_name", &self.send_server_name)
            .field("verify", &self.verify)
            .field("fail_if_no_peer_cert", &self.fail_if_no_peer_cert);
        #[cfg(feature = "tls")]
        fields.field("client_config", &self.client_config.as_ref().map(|_| AConfiguration));
        fields.finish()
    }
}

/// Certificates or a key in PEM (RFC 7468): a file, or text in memory. `Debug` never shows what is
/// in it.
///
/// Other forms, such as PKCS #12 (`.p12`, `.pfx`), DER and Java's keystores, are not read: the
/// error names the command that converts them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pem {
    /// A file, read on every attempt to connect, so that a renewed certificate is taken up.
    File(PathBuf),
    /// The text itself.
    Memory(Arc<SecretOctets>),
}

impl Pem {
    /// The file of this path.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// The path is what should be in the file: [`Pem::memory`] was meant.
    pub(super) fn is_misplaced(&self) -> bool {
        matches!(self, Self::File(path) if path.to_string_lossy().contains("-----"))
    }

    /// This text.
    pub fn memory(text: impl Into<SecretOctets>) -> Self {
        Self::Memory(Arc::new(text.into()))
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(_) if self.is_misplaced() => f.write_str("<PEM in the place of a path>"),
            Self::File(path) => write!(f, "{path:?}"),
            Self::Memory(_) => f.write_str("<in memory>"),
        }
    }
}
