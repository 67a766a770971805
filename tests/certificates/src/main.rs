//! Makes the certificates and keys of the live tests, in a folder:
//! `leveret-test-certificates FOLDER`.
//!
//! | file | what it is |
//! |---|---|
//! | `authority.pem` | the authority that both sides know |
//! | `server.pem`, `server.key` | for `localhost`, 127.0.0.1 and `mutual.test` |
//! | `named.pem`, `named.key` | for `localhost` and `mutual.test`, and so for no address |
//! | `expired.pem`, `expired.key` | for `expired.test`, `localhost` and 127.0.0.1, until the end of 2020 |
//! | `client.pem`, `client.key` | the user's of [`USER`], and behind it the certificate of the authority between it and the first |
//! | `client.encrypted.key` | the same key, encrypted with [`PASSWORD`] |
//! | `stranger.pem`, `stranger.key` | a client certificate of that user's name, by an authority that the broker does not know |
//! | `other-authority.pem` | that authority |
//! | `late.pem`, `late.key` | a client certificate of that user until the end of 2020 |
//!
//! Nothing of it is worth keeping: each run makes its own.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use pkcs8::pkcs5::pbes2;
use pkcs8::{LineEnding, PrivateKeyInfo};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
type Authority = CertifiedIssuer<'static, KeyPair>;

/// The user of the broker that the client's certificates name.
const USER: &str = "mole";

/// What the encrypted key is encrypted with.
const PASSWORD: &str = "under the lawn";

fn main() -> Result<()> {
    let folder = Folder(env::args_os().nth(1).ok_or("usage: leveret-test-certificates FOLDER")?.into());
    fs::create_dir_all(&folder.0)?;
    let authority = Authority::self_signed(of_authority("Leveret's authority")?, KeyPair::generate()?)?;
    let other = Authority::self_signed(of_authority("An authority of strangers")?, KeyPair::generate()?)?;
    folder.write("authority.pem", &authority.pem())?;
    folder.write("other-authority.pem", &other.pem())?;
    servers(&folder, &authority)?;
    clients(&folder, &authority, &other)
}

fn servers(folder: &Folder, authority: &Authority) -> Result<()> {
    folder.issue("server", &[], &of_server(&["localhost", "127.0.0.1", "mutual.test"])?, authority)?;
    folder.issue("named", &[], &of_server(&["localhost", "mutual.test"])?, authority)?;
    folder.issue("expired", &[], &expired(of_server(&["expired.test", "localhost", "127.0.0.1"])?), authority)?;
    Ok(())
}

fn clients(folder: &Folder, authority: &Authority, other: &Authority) -> Result<()> {
    let between = of_authority("Leveret's authority for clients")?;
    let between = Authority::signed_by(between, KeyPair::generate()?, authority)?;
    let key = folder.issue("client", &[between.as_ref()], &of_client()?, &between)?;
    folder.write("client.encrypted.key", &encrypted(&key)?)?;
    folder.issue("stranger", &[], &of_client()?, other)?;
    folder.issue("late", &[], &expired(of_client()?), authority)?;
    Ok(())
}

fn of_authority(name: &str) -> Result<CertificateParams> {
    let mut asked = CertificateParams::default();
    asked.distinguished_name.push(DnType::CommonName, name);
    asked.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    asked.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(asked)
}

/// A server's, for these names and addresses.
fn of_server(names: &[&str]) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut asked = CertificateParams::new(names)?;
    asked.distinguished_name.push(DnType::CommonName, "broker");
    asked.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(asked)
}

fn of_client() -> Result<CertificateParams> {
    let mut asked = CertificateParams::default();
    asked.distinguished_name.push(DnType::CommonName, USER);
    asked.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    asked.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(asked)
}

fn expired(mut asked: CertificateParams) -> CertificateParams {
    asked.not_before = date_time_ymd(2020, 1, 1);
    asked.not_after = date_time_ymd(2020, 12, 31);
    asked
}

/// A key as `openssl pkcs8 -topk8` encrypts it, with as many rounds: more would be slow in a debug
/// build.
fn encrypted(key: &KeyPair) -> Result<String> {
    // Salt and vector need not be random for a key that guards nothing.
    let how = pbes2::Parameters::pbkdf2_sha256_aes256cbc(2048, &[7; 16], &[9; 16]).map_err(pkcs8::Error::from)?;
    let octets = key.serialize_der();
    let key = PrivateKeyInfo::try_from(octets.as_slice())?;
    let document = key.encrypt_with_params(how, PASSWORD)?;
    Ok(document.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)?.to_string())
}

/// Where everything is written.
struct Folder(PathBuf);

impl Folder {
    /// Makes a key, has a certificate for it signed, and writes both; `chain` goes behind the
    /// certificate.
    fn issue(
        &self,
        name: &str,
        chain: &[&Certificate],
        asked: &CertificateParams,
        authority: &Authority,
    ) -> Result<KeyPair> {
        let key = KeyPair::generate()?;
        let mut certificates = asked.signed_by(&key, authority)?.pem();
        certificates.extend(chain.iter().map(|certificate| certificate.pem()));
        self.write(&format!("{name}.pem"), &certificates)?;
        self.write(&format!("{name}.key"), &key.serialize_pem())?;
        Ok(key)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.0.join(Path::new(name));
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()).into())
    }
}
