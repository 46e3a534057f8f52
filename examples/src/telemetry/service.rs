//! Serves whoever connects.

use core::convert::Infallible;
use core::net::SocketAddr;
use core::time::Duration;

use tacket::{Clock, Error as _, Fault, Listen, Listener, Stream};

use super::desk::Served;
use super::device::Device;
use super::server::{ServeError, serve};

/// How long a listener that is full is left alone.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens on `local` and [serves clients](serve_clients) there, for ever. `note` hears how each session went.
///
/// # Errors
///
/// The network cannot listen there, or the listener failed.
///
/// # Cancel safety
///
/// Not safe. Dropped, it stops listening and closes the client's stream forcefully. The device keeps what was set.
///
/// # Examples
///
/// ```
/// use core::net::{Ipv4Addr, SocketAddr};
/// use tacket::Network;
/// use tacket_examples::telemetry::{ServerEvent, Thermostat, listen};
///
/// async fn thermostat<N: Network>(network: &N) -> N::Error {
///     let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 7));
///     let mut requests = 0;
///     let Err(error) = listen(network, everywhere, &mut Thermostat::new(), |event| {
///         if let ServerEvent::Served(served) = event {
///             requests += served.requests;
///         }
///     })
///     .await;
///     error
/// }
/// ```
pub async fn listen<N>(
    network: &N,
    local: SocketAddr,
    device: &mut impl Device,
    note: impl FnMut(ServerEvent<N::Error>),
) -> Result<Infallible, N::Error>
where
    N: Listen<Listener: Listener<Stream: Stream<Error = N::Error>>> + Clock,
{
    let mut listener = network.listen(local).await?;
    serve_clients(&mut listener, device, network, note).await
}

/// Accepts clients, one after the other, and [serves](serve) each, for ever. `note` hears how each session went.
///
/// A client that fails is no failure of the listener: the next one is served. While there is no room for a connection
/// ([`Fault::Capacity`]), it tries again every 100 ms. A client that stays connected keeps the others waiting.
///
/// # Errors
///
/// The listener failed for good.
///
/// # Cancel safety
///
/// Not safe. Dropped, it closes the client's stream forcefully. The device keeps what was set, and the listener is fine.
pub async fn serve_clients<L: Listener<Stream: Stream<Error = L::Error>>>(
    listener: &mut L,
    device: &mut impl Device,
    clock: &impl Clock,
    mut note: impl FnMut(ServerEvent<L::Error>),
) -> Result<Infallible, L::Error> {
    loop {
        match listener.accept().await {
            Ok(stream) => note(match serve(stream, device, clock).await {
                Ok(served) => ServerEvent::Served(served),
                Err(error) => ServerEvent::Failed(error),
            }),
            Err(error) if error.fault() == Fault::Capacity => {
                note(ServerEvent::Full(error));
                clock.sleep_until(clock.now().saturating_add(PAUSE)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What happened while clients were served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent<E> {
    /// A client ended its session.
    Served(Served),
    /// The session of a client failed.
    Failed(ServeError<E>),
    /// There is no room for another connection now.
    Full(E),
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::vec;
    use alloc::vec::Vec;

    use embedded_io_async::ErrorType;
    use futures_util::future::join;
    use tacket::testing::{MemoryError, MemoryPair, MemoryStream};
    use tacket::{AsyncResource, SendStream as _};

    use super::super::{Thermostat, session};
    use super::*;
    use crate::drive::{VirtualClock, drive};

    /// Hands out what it was given, from the last to the first.
    struct Script<'p>(Vec<Result<MemoryStream<'p, Vec<u8>>, MemoryError>>);

    impl ErrorType for Script<'_> {
        type Error = MemoryError;
    }

    impl AsyncResource for Script<'_> {
        async fn close(self) -> Result<(), MemoryError> {
            Ok(())
        }
    }

    impl<'p> Listener for Script<'p> {
        type Stream = MemoryStream<'p, Vec<u8>>;

        async fn accept(&mut self) -> Result<Self::Stream, MemoryError> {
            self.0.pop().expect("it ended with an error before")
        }
    }

    #[test]
    fn a_bad_client_is_passed_over_no_room_is_waited_out_and_a_failed_listener_ends_it() {
        let pairs = [(); 2].map(|()| MemoryPair::new(vec![0; 64], vec![0; 64]));
        let [(mut bad, from_bad), (good, from_good)] =
            pairs.each_ref().map(|pair| pair.open().unwrap());
        let (full, broken) = (MemoryError::Capacity, MemoryError::Broken);
        let mut script = Script(vec![
            Err(broken),
            Ok(from_good),
            Err(full),
            Err(full),
            Ok(from_bad),
        ]);
        let clock = VirtualClock::default();
        let mut events = Vec::new();
        let mut thermostat = Thermostat::new();
        let clients = async {
            bad.send_all(&[0]).await.unwrap();
            drop(bad);
            Box::pin(session(good, &clock)).await.unwrap()
        };
        let note = |event| events.push((clock.now().as_millis(), event));
        let serving = serve_clients(&mut script, &mut thermostat, &clock, note);
        let (Err(error), summary) = drive(&clock, join(serving, clients));
        assert_eq!(error, broken);
        let failed = ServerEvent::Failed(ServeError::Stream(MemoryError::Broken));
        let waited = [
            (0, failed),
            (0, ServerEvent::Full(full)),
            (100, ServerEvent::Full(full)),
        ];
        assert_eq!(events[..3], waited);
        assert!(
            matches!(events[3..], [(200.., ServerEvent::Served(served))] if served.requests == summary.requests)
        );
    }
}
