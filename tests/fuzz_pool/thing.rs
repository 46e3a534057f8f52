//! What a program holds.

use alloc::rc::Rc;
use core::cell::RefCell;

use tacket_embassy::{TcpListener, TcpReceiving, TcpSending, TcpStream, UdpSocket};

use super::ledger::Course;

/// Something that a program holds.
#[derive(Debug)]
pub(super) enum Thing {
    Listener(TcpListener),
    Stream(TcpStream, Rc<Course>),
    Sending(TcpSending<'static>, Rc<Course>),
    Receiving(TcpReceiving<'static>, Rc<Course>),
    Datagrams(UdpSocket),
}

impl Thing {
    pub(super) fn of(stream: TcpStream) -> Self {
        let course = Course::of(&stream);
        Self::Stream(stream, course)
    }

    pub(super) const fn is_listener(&self) -> bool {
        matches!(self, Self::Listener(_))
    }

    pub(super) const fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(..))
    }

    pub(super) const fn is_sending(&self) -> bool {
        matches!(self, Self::Sending(..))
    }

    pub(super) const fn is_receiving(&self) -> bool {
        matches!(self, Self::Receiving(..))
    }

    pub(super) const fn sends(&self) -> bool {
        matches!(self, Self::Stream(..) | Self::Sending(..))
    }

    pub(super) const fn receives(&self) -> bool {
        matches!(self, Self::Stream(..) | Self::Receiving(..))
    }

    pub(super) const fn is_for_datagrams(&self) -> bool {
        matches!(self, Self::Datagrams(_))
    }
}

/// What nobody is using at the moment.
#[derive(Debug, Default)]
pub(super) struct Things(RefCell<Vec<Thing>>);

impl Things {
    pub(super) fn put(&self, thing: Thing) {
        self.0.borrow_mut().push(thing);
    }

    /// One of those that fit.
    pub(super) fn take(&self, which: u8, fits: impl Fn(&Thing) -> bool) -> Option<Thing> {
        let mut things = self.0.borrow_mut();
        let fitting = things.iter().filter(|thing| fits(thing)).count();
        let place = usize::from(which).checked_rem(fitting)?;
        let mut places = things.iter().enumerate().filter(|(_, thing)| fits(thing));
        let (at, _) = places.nth(place)?;
        Some(things.remove(at))
    }

    pub(super) fn put_back(&self, thing: Option<Thing>) {
        self.0.borrow_mut().extend(thing);
    }

    pub(super) fn drop_all(&self) {
        self.0.take();
    }
}
