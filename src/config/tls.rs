//! Settings of TLS: what to trust, and the client's certificate. The settings exist in every build;
//! connecting with them needs the feature `tls`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Secret, SecretOctets, Setting};

/// The settings of a connection over TLS (`amqps`).
///
/// By default, the authorities that the operating system trusts are trusted, the broker's
/// certificate is verified for the name of the host, and the client has no certificate.
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
    /// The certificates of the trusted authorities, which replace those of the operating system.
    ///
    /// The broker's own certificate may be among them, such as a self-signed one that `openssl req
    /// -x509` made. A broker that presents exactly one of these certificates is trusted, whatever
    /// signed the certificate, and whether or not it is marked as one of an authority. The
    /// certificate still has to be valid for the host's name (only its subjectAltName counts) and
    /// at the current time, and the broker has to prove that it has the private key.
    pub ca: Option<Pem>,
    /// The client's certificate, followed by the intermediate certificates up to an authority.
    pub certificate: Option<Pem>,
    /// The private key of the certificate. With `None`, it is read from the PEM of the certificate.
    pub key: Option<Pem>,
    /// The password of an encrypted key (PKCS #8).
    pub key_password: Option<Secret>,
    /// The name for which the broker's certificate has to be valid, and which the client sends
    /// (SNI). With `None`, it is the host of the endpoint.
    pub server_name: Option<String>,
    /// Whether the client sends the name (SNI).
    pub send_server_name: bool,
    /// Whether the broker's certificate is verified. See [`Tls::dangerously_skip_verification`].
    pub verify: bool,
    /// RabbitMQ's key `fail_if_no_peer_cert`, kept so that a URL prints as it was read. It has no
    /// effect: a broker without a certificate is always refused.
    pub fail_if_no_peer_cert: Option<bool>,
    /// A configuration of rustls that replaces all other settings except the names.
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

/// Setters. A setter of something optional accepts `None` to remove the setting.
impl Tls {
    /// Trusts only these authorities, or the broker's [own certificate](Self#structfield.ca).
    #[must_use]
    pub fn ca(mut self, ca: impl Into<Option<Pem>>) -> Self {
        self.ca = ca.into();
        self
    }

    /// Sets the certificate that the client presents to a broker that asks for one.
    #[must_use]
    pub fn certificate(mut self, certificate: impl Into<Option<Pem>>) -> Self {
        self.certificate = certificate.into();
        self
    }

    /// Sets the private key of the certificate.
    #[must_use]
    pub fn key(mut self, key: impl Into<Option<Pem>>) -> Self {
        self.key = key.into();
        self
    }

    /// Sets the password of an encrypted private key.
    #[must_use]
    pub fn key_password(mut self, password: impl Into<Setting<Secret>>) -> Self {
        self.key_password = password.into().into_option();
        self
    }

    /// Sets the name for which the broker's certificate has to be valid, if that is not the host of
    /// the endpoint.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<Setting<String>>) -> Self {
        self.server_name = name.into().into_option();
        self
    }

    /// Sets whether the client sends the name (SNI). The default is `true`.
    #[must_use]
    pub fn send_server_name(mut self, send: bool) -> Self {
        self.send_server_name = send;
        self
    }

    /// **Accepts any certificate**: anyone between the client and the broker can read and change
    /// everything, passwords included. It is for experiments only. In a URL: `verify=verify_none`.
    #[must_use]
    pub fn dangerously_skip_verification(mut self) -> Self {
        self.verify = false;
        self
    }

    /// Sets a configuration of rustls, which replaces the settings of authorities, certificate, key
    /// and verification.
    #[cfg(feature = "tls")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tls")))]
    #[must_use]
    pub fn client_config(mut self, config: impl Into<Option<Arc<rustls::ClientConfig>>>) -> Self {
        self.client_config = config.into();
        self
    }
}

/// What `Debug` prints for a configuration of rustls.
#[cfg(feature = "tls")]
struct AConfiguration;

#[cfg(feature = "tls")]
impl fmt::Debug for AConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<a configuration of rustls>")
    }
}

impl fmt::Debug for Tls {
    /// Shows only whether there is a configuration of rustls, because its contents may be secret.
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

/// Certificates or a private key in PEM (RFC 7468): a file, or text in memory. `Debug` never shows
/// the contents.
///
/// Other formats, such as PKCS #12 (`.p12`, `.pfx`), DER and Java's keystores, are not supported:
/// the error names the command that converts them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pem {
    /// A file. It is read at each attempt to connect, so that a renewed certificate takes effect.
    File(PathBuf),
    /// The text in memory.
    Memory(Arc<SecretOctets>),
}

impl Pem {
    /// Makes a PEM that is read from the file at this path.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::File(path.into())
    }

    /// Whether the path is the text of a PEM, so that [`Pem::memory`] was meant.
    pub(super) fn is_misplaced(&self) -> bool {
        matches!(self, Self::File(path) if path.to_string_lossy().contains("-----"))
    }

    /// Makes a PEM from this text.
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
