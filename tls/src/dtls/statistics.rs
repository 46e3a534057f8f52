//! What an endpoint and its channels have seen.

/// What a [`DtlsEndpoint`](crate::DtlsEndpoint) has seen so far.
///
/// ```
/// use tacket_tls::DtlsStatistics;
///
/// /// Whether most of what comes is of no use.
/// const fn is_under_attack(seen: &DtlsStatistics) -> bool {
///     seen.ignored + seen.cookies_sent > seen.datagrams / 2
/// }
/// # assert!(!is_under_attack(&DtlsStatistics::default()));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DtlsStatistics {
    /// Associations that there are now, of clients and of servers.
    pub associations: usize,
    /// Clients that there is a memory of now, and that have not proven their address.
    pub half_open: usize,
    /// Datagrams that came.
    pub datagrams: u64,
    /// Those that were passed over: malformed, forged as far as anybody can see that, or of nobody that is known.
    pub ignored: u64,
    /// Cookies sent to clients of which nothing is remembered. Where many answers wait to be sent already, there is none.
    pub cookies_sent: u64,
    /// Hellos of clients that were not served, because there was no room for another handler. A client that asks again counts again.
    pub refused: u64,
    /// Clients that were forgotten before they had proven their address, for a newer one.
    pub half_open_evicted: u64,
    /// Associations that a new one with the same peer has replaced.
    pub replaced: u64,
    /// Handshakes that were done.
    pub established: u64,
    /// Associations that failed, in the handshake or later.
    pub failed: u64,
    /// Datagrams that were not sent: the socket failed to, too many of one association waited, or its channel was dropped.
    pub unsent: u64,
}

/// What a [`DtlsChannel`](crate::DtlsChannel) has seen so far.
///
/// ```
/// use tacket_tls::DtlsChannelStatistics;
///
/// /// Which part of the messages came too fast.
/// fn overrun(seen: &DtlsChannelStatistics) -> f64 {
///     seen.dropped as f64 / seen.received.max(1) as f64
/// }
/// # assert_eq!(overrun(&DtlsChannelStatistics::default()), 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DtlsChannelStatistics {
    /// Messages that were made ready to be sent, those included that the socket has not taken.
    pub sent: u64,
    /// Messages that came, authentic and for the first time.
    pub received: u64,
    /// Those of them that were dropped: as many as there is room for waited to be received, or they came behind the end.
    pub dropped: u64,
    /// Messages that wait to be received now.
    pub waiting: usize,
}
