//! Those who have certificates of every kind.

use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey as _,
};
use tacket_tls::pki_types::CertificateDer;

/// Somebody with a certificate, and what is needed to issue others.
#[derive(Debug)]
#[non_exhaustive]
pub struct Owner {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// The key to it.
    pub key: KeyPair,
    params: CertificateParams,
}

/// A server with these names.
#[must_use]
pub fn server_params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).expect("names")
}

/// An authority.
#[must_use]
pub fn authority_params(name: &str) -> CertificateParams {
    let mut params = server_params(&[]);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

impl Owner {
    /// An authority that has signed its certificate itself.
    #[must_use]
    pub fn root(name: &str) -> Self {
        Self::self_signed(authority_params(name))
    }

    /// The same for any kind of certificate.
    #[must_use]
    pub fn self_signed(params: CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        let der = params.self_signed(&key).expect("a certificate");
        let der = der.der().clone();
        Self { der, key, params }
    }

    /// Somebody to whom this one has issued such a certificate, for a key of P-256.
    #[must_use]
    pub fn issue(&self, params: CertificateParams) -> Self {
        self.issue_for(&PKCS_ECDSA_P256_SHA256, params)
    }

    /// The same for another kind of key.
    #[must_use]
    pub fn issue_for(
        &self,
        algorithm: &'static SignatureAlgorithm,
        params: CertificateParams,
    ) -> Self {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let issuer = Issuer::from_params(&self.params, &self.key);
        let der = params.signed_by(&key, &issuer).expect("a certificate");
        let der = der.der().clone();
        Self { der, key, params }
    }

    /// The same for a key of RSA that nobody has.
    #[must_use]
    pub fn issue_for_rsa(&self, params: CertificateParams) -> Self {
        let issuer = Issuer::from_params(&self.params, &self.key);
        let der = params.signed_by(&RsaKey, &issuer).expect("a certificate");
        Self {
            der: der.der().clone(),
            key: KeyPair::generate().expect("a key"),
            params,
        }
    }

    /// The same key and name, with another certificate.
    #[must_use]
    pub fn certified_by(&self, issuer: &Self, params: CertificateParams) -> Self {
        let key = KeyPair::try_from(self.key.serialized_der()).expect("a key");
        let issuer = Issuer::from_params(&issuer.params, &issuer.key);
        let der = params.signed_by(&key, &issuer).expect("a certificate");
        let der = der.der().clone();
        Self { der, key, params }
    }

    /// Its signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(message).expect("a signature")
    }
}

/// A public key of 2048 bits.
struct RsaKey;

impl PublicKeyData for RsaKey {
    fn der_bytes(&self) -> &[u8] {
        static KEY: LazyLock<Vec<u8>> = LazyLock::new(|| {
            let number = [0xa5; 256];
            let head = [0x30, 0x82, 1, 10, 2, 0x82, 1, 1, 0];
            [&head[..], &number, &[2, 3, 1, 0, 1]].concat()
        });
        &KEY
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_RSA_SHA256
    }
}

/// A key as SEC1 has it: what is at the end of its PKCS#8.
#[must_use]
pub fn sec1(pkcs8: &[u8]) -> &[u8] {
    let at = pkcs8.windows(3).position(|part| part == [0x30, 0x6b, 0x02]);
    let at = at.expect("a key of P-256");
    pkcs8.get(at..).unwrap_or_default()
}
