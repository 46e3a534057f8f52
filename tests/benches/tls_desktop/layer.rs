//! On top of TCP there is TLS.

pub(crate) use crate::socket as raw_mio;

pub(crate) mod tacket {
    use alloc::sync::Arc;

    use tacket_std::{IoError, TcpStream};
    use tacket_tls::{ClientConfig, ServerConfig, TlsError, TlsStream};

    use crate::ends::{ends, name};
    use crate::plan::Setting;
    use crate::speed::peers::tacket::echo;

    pub(crate) type Stream = TlsStream<TcpStream>;
    pub(crate) type Error = TlsError<IoError>;

    pub(crate) async fn connect(stream: TcpStream, _: Setting) -> Stream {
        let config = ClientConfig::from(Arc::clone(&ends().client));
        let mut stream = TlsStream::client(stream, &config, name()).unwrap();
        stream.do_handshake().await.unwrap();
        ends().check_connected();
        stream
    }

    pub(crate) fn accept(stream: TcpStream, _: Setting) -> Stream {
        let config = ServerConfig::from(Arc::clone(&ends().server));
        TlsStream::server(stream, &config).unwrap()
    }

    /// The connections of a server, which share nothing.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Crowd {}

    impl Crowd {
        pub(crate) fn echo(self, stream: Stream) -> impl Future<Output = Result<(), Error>> {
            echo(stream)
        }
    }
}

/// What tokio-rustls and futures-rustls do alike, over streams and traits of two kinds.
macro_rules! layer {
    ($name:ident, $rustls:ident, $tcp:ty, $writing:path, $end:ident) => {
        pub(crate) mod $name {
            use alloc::sync::Arc;
            use std::io;

            use $rustls::{TlsAcceptor, TlsConnector};
            use $writing as _;

            use crate::ends::{ends, name};

            pub(crate) type Stream = $rustls::TlsStream<$tcp>;

            pub(crate) async fn connect(stream: $tcp) -> Stream {
                let connector = TlsConnector::from(Arc::clone(&ends().client));
                let stream = connector.connect(name(), stream).await.unwrap();
                ends().check_connected();
                stream.into()
            }

            pub(crate) async fn accept(stream: $tcp) -> io::Result<Stream> {
                let acceptor = TlsAcceptor::from(Arc::clone(&ends().server));
                Ok(acceptor.accept(stream).await?.into())
            }

            pub(crate) async fn end(mut stream: Stream) -> io::Result<()> {
                let _ = stream.$end().await; // it fails if the peer is gone, whose end has come
                Ok(())
            }
        }
    };
}

layer!(
    tokio,
    tokio_rustls,
    ::tokio::net::TcpStream,
    ::tokio::io::AsyncWriteExt,
    shutdown
);
layer!(
    smol,
    futures_rustls,
    ::smol::net::TcpStream,
    ::smol::io::AsyncWriteExt,
    close
);
