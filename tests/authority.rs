//! Certificates for tests, made on the spot.

use core::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tacket_tls::pki_types::{CertificateDer, PrivateKeyDer};
use tacket_tls::{ClientConfig, ServerConfig};

/// The name in the certificates of [`Authority::server_config`].
pub const NAME: &str = "server.example";

const NAMES: [&str; 3] = [NAME, "localhost", "127.0.0.1"];

/// An authority that a client can trust, and that signs for servers.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(
    clippy::expect_used,
    reason = "what is made here is known to be well-formed"
)]
impl Authority {
    /// Makes a new authority, which nobody trusts yet.
    ///
    /// # Panics
    ///
    /// Without a source of randomness.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::new([]).expect("no names");
        let name = format!("test authority {number}");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        Self { issuer }
    }

    /// Its own certificate.
    #[must_use]
    pub fn root(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// The same for a file, as PEM.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.issuer.pem()
    }

    /// A client that trusts this authority alone.
    ///
    /// # Panics
    ///
    /// Never.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        ClientConfig::with_roots([self.root()]).expect("a root")
    }

    /// A server that proves to be `server.example`, `localhost` and 127.0.0.1.
    #[must_use]
    pub fn server_config(&self) -> ServerConfig {
        self.server_config_for(&NAMES, |_| {})
    }

    /// A server that proves to be one of `names`, with a certificate that `change` has changed.
    ///
    /// # Panics
    ///
    /// If `names` has something that is no name.
    #[must_use]
    pub fn server_config_for(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> ServerConfig {
        let (certificate, key) = self.certify(names, change);
        ServerConfig::with_certificate(vec![certificate], key).expect("they belong together")
    }

    /// A certificate for the names of [`server_config`](Self::server_config) and its key, for the file of a foreign server: PEM.
    #[must_use]
    pub fn server_pem(&self) -> String {
        let (certificate, key) = self.sign(&NAMES, |_| {});
        key.serialize_pem() + &certificate.pem()
    }

    /// Signs a certificate for `names`. Returns it with its key.
    ///
    /// # Panics
    ///
    /// If `names` has something that is no name.
    pub fn certify(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let (certificate, key) = self.sign(names, change);
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        (certificate.der().clone(), key)
    }

    fn sign(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (Certificate, KeyPair) {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let issuer: &Issuer<'_, KeyPair> = &self.issuer;
        let certificate = params.signed_by(&key, issuer).expect("a certificate");
        (certificate, key)
    }

    /// Makes a certificate that has expired long ago.
    pub fn expire(params: &mut CertificateParams) {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    }
}
