//! What `embedded-tls` asks for during a handshake: random bytes, and who the server and the client are.

use core::marker::PhantomData;

use embedded_tls::{
    Certificate, CertificateRef, CertificateVerifyRef, CryptoProvider, CryptoRng, CryptoRngCore,
    SignatureScheme, TlsError, TlsVerifier,
};
use p256::SecretKey;
use p256::ecdsa::signature::SignerMut;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::rand_core::{self, RngCore};

use super::flight::Stage;
use super::settings::ClientCertificate;
use super::signal::read_signal;
use super::suite::GuardSuite;
use super::verify::GuardVerifier;
use super::wire::Wire;

/// How many random bytes a hello has, and a key.
const UNIT: usize = 32;

/// How many random bytes a handshake takes. Once in 2^32 times, they are no key, and the next have to be.
const RANDOM: usize = UNIT + 3 * UNIT;

/// For one handshake.
pub(super) struct Provider<'p, C> {
    pub(super) seed: Seed,
    pub(super) examiner: Examiner<'p>,
    pub(super) certificate: Option<&'p ClientCertificate<'p>>,
    pub(super) suite: PhantomData<C>,
}

impl<C: GuardSuite> CryptoProvider for Provider<'_, C> {
    type CipherSuite = C;
    type Signature = DerSignature;

    fn rng(&mut self) -> impl CryptoRngCore {
        &mut self.seed
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<C>, TlsError> {
        Ok(&mut self.examiner)
    }

    fn signer(&mut self) -> Result<(impl SignerMut<DerSignature>, SignatureScheme), TlsError> {
        let certificate = self.certificate.ok_or(TlsError::InvalidPrivateKey)?;
        let key: SigningKey = certificate.key.clone();
        Ok((key, SignatureScheme::EcdsaSecp256r1Sha256))
    }

    fn client_cert(&mut self) -> Option<Certificate<impl AsRef<[u8]>>> {
        self.certificate
            .map(|certificate| Certificate::X509(certificate.der))
    }
}

/// Random bytes that were drawn before, so that it is known beforehand whether they can be had.
pub(super) struct Seed {
    bytes: [u8; RANDOM],
    used: usize,
    is_empty: bool,
}

impl Seed {
    /// `None`: there are none, or they repeat.
    pub(super) fn draw(rng: &mut dyn CryptoRngCore) -> Option<Self> {
        let mut bytes = [0; RANDOM];
        rng.try_fill_bytes(&mut bytes).ok()?;
        has_variety(&bytes).then_some(Self {
            bytes,
            used: 0,
            is_empty: false,
        })
    }

    /// Whether more was asked for than there is. What was made of that is not to be used.
    pub(super) const fn is_empty(&self) -> bool {
        self.is_empty
    }
}

/// Whether nothing in `bytes` repeats, as it does where a source is read faster than it brings new ones, and there is a key among them.
///
/// The first part is sent to everybody. A key that is equal to it would be known to everybody.
fn has_variety(bytes: &[u8; RANDOM]) -> bool {
    let (units, _) = bytes.as_chunks::<UNIT>();
    let differs = |(index, unit): (usize, &[u8; UNIT])| {
        let (words, _) = unit.as_chunks::<4>();
        let is_constant = words.iter().all(|word| Some(word) == words.first());
        !is_constant && !units.iter().skip(index + 1).any(|other| other == unit)
    };
    let is_key = |unit: &[u8; UNIT]| SecretKey::from_slice(unit).is_ok();
    units.iter().enumerate().all(differs) && units.iter().skip(1).any(is_key)
}

impl RngCore for Seed {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_ne_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_ne_bytes(bytes)
    }

    fn fill_bytes(&mut self, buf: &mut [u8]) {
        let end = self.used + buf.len();
        match self.bytes.get_mut(self.used..end) {
            Some(bytes) => {
                buf.copy_from_slice(bytes);
                // Each byte serves once.
                bytes.fill(0);
                self.used = end;
            }
            None => {
                // Something that is a key, so that nobody asks for ever.
                buf.fill(1);
                self.is_empty = true;
            }
        }
    }

    fn try_fill_bytes(&mut self, buf: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(buf);
        Ok(())
    }
}

impl CryptoRng for Seed {}

/// The verifier, with a note of what it has seen, and an ear for what the cipher has found.
pub(super) struct Examiner<'p> {
    pub(super) wire: &'p Wire,
    pub(super) verifier: GuardVerifier<'p>,
}

impl<C: GuardSuite> TlsVerifier<C> for Examiner<'_> {
    fn set_hostname_verification(&mut self, _name: &str) -> Result<(), TlsError> {
        // The verifier was made with the name.
        Ok(())
    }

    fn verify_certificate(
        &mut self,
        transcript: &C::Hash,
        certificate: CertificateRef<'_>,
    ) -> Result<(), TlsError> {
        let verifier: &mut dyn TlsVerifier<C> = &mut self.verifier;
        verifier.verify_certificate(transcript, certificate)?;
        self.wire.stage.set(Stage::Verify);
        Ok(())
    }

    fn verify_signature(&mut self, verify: CertificateVerifyRef<'_>) -> Result<(), TlsError> {
        if let Some(found) = read_signal(verify.signature_scheme, verify.signature) {
            self.wire.signal.set(found);
            return Err(TlsError::InvalidRecord);
        }
        let verifier: &mut dyn TlsVerifier<C> = &mut self.verifier;
        verifier.verify_signature(verify)?;
        self.wire.stage.set(Stage::Finished);
        Ok(())
    }
}
