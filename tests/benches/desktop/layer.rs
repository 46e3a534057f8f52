//! On top of TCP there is nothing: the peers use their streams as they are.

pub(crate) mod tacket {
    //! A server of many shares one buffer among them, as the documentation of `try_receive_some` does.

    use alloc::rc::Rc;
    use core::cell::RefCell;

    use socket2::SockRef;
    use tacket::{AsyncResource as _, SendStream as _};
    pub(crate) use tacket_std::{IoError as Error, TcpStream as Stream};

    use crate::plan::{BUFFER, Setting};

    pub(crate) async fn connect(stream: Stream, setting: Setting) -> Stream {
        tuned(stream, setting)
    }

    pub(crate) fn accept(stream: Stream, setting: Setting) -> Stream {
        tuned(stream, setting)
    }

    /// With the limit that was asked for, if one was.
    fn tuned(stream: Stream, setting: Setting) -> Stream {
        if let Some(bytes) = setting.notsent_lowat {
            SockRef::from(&stream).set_tcp_notsent_lowat(bytes).unwrap();
        }
        stream
    }

    /// What the connections of a server share.
    #[derive(Clone)]
    pub(crate) struct Crowd {
        buf: Rc<RefCell<Vec<u8>>>,
    }

    impl Default for Crowd {
        fn default() -> Self {
            Self {
                buf: Rc::new(RefCell::new(vec![0; BUFFER])),
            }
        }
    }

    impl Crowd {
        /// Sends back what comes, through a buffer that it has only while something is there.
        pub(crate) async fn echo(self, mut stream: Stream) -> Result<(), Error> {
            loop {
                stream.wait_receive_some_might_not_block().await?;
                let echoed = echo_once(&mut stream, &mut self.buf.borrow_mut())?;
                let unsent = match echoed {
                    Echoed::All => continue,
                    Echoed::Part(unsent) => unsent,
                    Echoed::End => return stream.close().await,
                };
                stream.send_all(&unsent).await?;
            }
        }
    }

    enum Echoed {
        All,
        /// The socket had no room for this.
        Part(Vec<u8>),
        End,
    }

    fn echo_once(stream: &mut Stream, buf: &mut [u8]) -> Result<Echoed, Error> {
        let count = match stream.try_receive_some(buf)? {
            None => return Ok(Echoed::All),
            Some(0) => return Ok(Echoed::End),
            Some(count) => count,
        };
        let sent = stream.try_send_some(&buf[..count])?.unwrap_or(0);
        Ok(match sent == count {
            true => Echoed::All,
            false => Echoed::Part(buf[sent..count].to_vec()),
        })
    }
}

pub(crate) mod tokio {
    pub(crate) use super::nothing::{accept, connect, end};
    pub(crate) use tokio::net::TcpStream as Stream;
}

pub(crate) mod smol {
    pub(crate) use super::nothing::{accept, connect, end};
    pub(crate) use smol::net::TcpStream as Stream;
}

mod nothing {
    use std::io;

    pub(crate) async fn connect<S>(stream: S) -> S {
        stream
    }

    pub(crate) async fn accept<S>(stream: S) -> io::Result<S> {
        Ok(stream)
    }

    pub(crate) async fn end<S>(stream: S) -> io::Result<()> {
        drop(stream);
        Ok(())
    }
}

pub(crate) mod raw_mio {
    use std::io::{self, Read as _, Write as _};
    use std::net::Shutdown;

    use mio::net::TcpStream;

    #[derive(Debug)]
    pub(crate) struct Socket(TcpStream);

    impl Socket {
        pub(crate) const fn connect(stream: TcpStream) -> Self {
            Self(stream)
        }

        pub(crate) const fn accept(stream: TcpStream) -> Self {
            Self(stream)
        }

        pub(crate) const fn tcp(&self) -> &TcpStream {
            &self.0
        }

        pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }

        pub(crate) fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.0.write(data)
        }

        /// Whether the layer has found an end behind what was read.
        pub(crate) const fn has_ended(&self) -> bool {
            false
        }

        /// Does what the layer has to do for itself.
        pub(crate) const fn go_on(&mut self) -> io::Result<()> {
            Ok(())
        }

        /// Ends the sending direction.
        pub(crate) fn shutdown(&mut self) {
            self.0.shutdown(Shutdown::Write).unwrap();
        }

        /// Ends the layer, before a drop.
        pub(crate) const fn end(&mut self) {}
    }
}
