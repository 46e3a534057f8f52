//! What the ends are configured with. They are made once, as making them takes longer than running a program.

use std::sync::LazyLock;

use tacket_tls::{DtlsClientConfig, DtlsIdentity, DtlsPsk, DtlsServerConfig, DtlsTrust};

use crate::{Authority, NAME};

/// How the ends know each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquaintance {
    /// By a pre-shared key. There is little to compute, so these programs are the quickest.
    Key,
    Certificate,
    /// The same, and DTLS 1.3 for those who want it.
    BothVersions,
    /// Of both ends, and both versions.
    Certificates,
}

/// Who a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Good,
    /// By DTLS 1.3, if the server speaks it.
    Good13,
    /// It has the wrong key, or trusts somebody else, or has no certificate.
    Wrong,
}

impl Kind {
    pub(super) const fn of(byte: u8) -> Self {
        match byte % 4 {
            0 | 1 => Self::Good,
            2 => Self::Good13,
            _ => Self::Wrong,
        }
    }
}

pub(super) struct Parties {
    pub(super) server: DtlsServerConfig,
    good: DtlsClientConfig,
    good13: DtlsClientConfig,
    wrong: DtlsClientConfig,
}

impl Parties {
    pub(super) fn of(acquaintance: Acquaintance) -> &'static Self {
        static ALL: LazyLock<[Parties; 4]> = LazyLock::new(make);
        let [key, certificate, both, certificates] = &*ALL;
        match acquaintance {
            Acquaintance::Key => key,
            Acquaintance::Certificate => certificate,
            Acquaintance::BothVersions => both,
            Acquaintance::Certificates => certificates,
        }
    }

    pub(super) const fn client(&self, kind: Kind) -> &DtlsClientConfig {
        match kind {
            Kind::Good => &self.good,
            Kind::Good13 => &self.good13,
            Kind::Wrong => &self.wrong,
        }
    }
}

fn make() -> [Parties; 4] {
    let key = |key| DtlsPsk::new("sensor 17", [key; 32]).expect("a key");
    let [authority, other] = [Authority::new(), Authority::new()];
    let identity = || {
        let (certificate, key) = authority.certify(&[NAME], |_| {});
        DtlsIdentity::new(&certificate, &key).expect("they belong together")
    };
    let trust = |authority: &Authority| DtlsTrust::in_roots([authority.root()]).expect("a root");
    let trusting = |authority| DtlsClientConfig::new(trust(authority)).expect("random bytes");
    let (good, wrong) = (trusting(&authority), trusting(&other));
    let known = good.with_identity(identity()).expect("certificates");
    let server = DtlsServerConfig::new(identity());
    let both = server.with_dtls13().expect("it has certificates");
    let certificates = both.with_clients(trust(&authority)).expect("certificates");
    [
        Parties {
            server: DtlsServerConfig::with_psks([key(1)]).expect("a key"),
            good: DtlsClientConfig::with_psk(key(1)),
            good13: DtlsClientConfig::with_psk(key(1)),
            wrong: DtlsClientConfig::with_psk(key(2)),
        },
        Parties {
            server,
            good: good.clone(),
            good13: good.clone(),
            wrong: wrong.clone(),
        },
        Parties {
            server: both,
            good: good.clone(),
            good13: good.with_dtls13().expect("it has certificates"),
            wrong: wrong.with_dtls13().expect("it has certificates"),
        },
        Parties {
            server: certificates,
            good: known.clone(),
            good13: known.with_dtls13().expect("it has certificates"),
            wrong: good,
        },
    ]
}
