//! Names to addresses, by the resolver of the operating system.
//!
//! It only answers to a thread that waits for it, for up to half a minute. So threads of its own ask it, beside the loop: at most
//! [`MOST_THREADS`] of the whole process, however many names are asked for, and none while nobody asks.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::net::IpAddr;
use core::task::{Context, Poll, Waker};
use std::io;
use std::net::ToSocketAddrs as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use tacket::Fault;

use crate::error::{IoError, Operation};

/// How many names are asked for at a time; later ones wait.
const MOST_THREADS: usize = 8;

/// Writes addresses of `host` to the front of `addresses`, in the order in which the system prefers them (RFC 6724), and
/// returns how many it has.
///
/// A question cannot be taken back: that of a dropped future occupies its thread until it is answered.
pub(crate) async fn resolve(host: &str, addresses: &mut [IpAddr]) -> Result<usize, IoError> {
    let operation = || Operation::Resolve(host.into());
    let Some(first) = addresses.first_mut() else {
        return Err(IoError::refused(operation(), Fault::InvalidInput));
    };
    if let Ok(address) = host.parse() {
        *first = address;
        return Ok(1);
    }
    if !could_be_name(host) {
        return Err(IoError::refused(operation(), Fault::InvalidInput));
    }
    let found = ask(host, ask_system).await;
    let found = found.map_err(|error| IoError::new(operation(), error))?;
    let places = addresses.iter_mut().zip(&found);
    places.for_each(|(place, address)| *place = *address);
    Ok(found.len())
}

/// Whether `host` has the form of a name: labels of 1 to 63 bytes, 253 in all, perhaps with the dot of the root.
///
/// What has a zone (RFC 4007) is an address, and means nothing without it; there is no room for that in an [`IpAddr`].
fn could_be_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    name.len() <= 253
        && name.split('.').all(|label| matches!(label.len(), 1..=63))
        && !name.contains(|c: char| c == '%' || c.is_control() || c.is_whitespace())
}

/// Answers with at least one address, or an error.
type Oracle = fn(&str) -> io::Result<Vec<IpAddr>>;

fn ask_system(host: &str) -> io::Result<Vec<IpAddr>> {
    let found = (host, 0).to_socket_addrs()?;
    let found = without_repetition(found.map(|address| address.ip()));
    if found.is_empty() {
        let cause = "the name has no address";
        return Err(io::Error::new(io::ErrorKind::NotFound, cause));
    }
    Ok(found)
}

fn without_repetition(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut different = Vec::new();
    for address in addresses {
        if !different.contains(&address) {
            different.push(address);
        }
    }
    different
}

/// Asks `oracle` on a thread, and waits for its answer.
async fn ask(host: &str, oracle: Oracle) -> io::Result<Vec<IpAddr>> {
    let question = Arc::new(Question {
        host: host.into(),
        oracle,
        state: Mutex::new(State::default()),
    });
    lock(&COUNTER).take(Arc::clone(&question))?;
    poll_fn(|cx| question.poll(cx)).await
}

/// What a future and a thread share.
struct Question {
    host: Box<str>,
    oracle: Oracle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answer: Option<io::Result<Vec<IpAddr>>>,
    waker: Option<Waker>,
}

impl Question {
    fn poll(&self, cx: &Context<'_>) -> Poll<io::Result<Vec<IpAddr>>> {
        let waker = cx.waker().clone(); // before the lock: it is anybody's code
        let mut state = lock(&self.state);
        if let Some(answer) = state.answer.take() {
            return Poll::Ready(answer);
        }
        let replaced = state.waker.replace(waker);
        drop(state);
        drop(replaced);
        Poll::Pending
    }

    fn answer(&self) {
        let answer = (self.oracle)(&self.host);
        let mut state = lock(&self.state);
        state.answer = Some(answer);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Where questions wait for a thread.
struct Counter {
    waiting: VecDeque<Arc<Question>>,
    threads: usize,
}

static COUNTER: Mutex<Counter> = Mutex::new(Counter {
    waiting: VecDeque::new(),
    threads: 0,
});

impl Counter {
    fn take(&mut self, question: Arc<Question>) -> io::Result<()> {
        if self.threads < MOST_THREADS {
            let name = "tacket resolver".to_owned();
            match thread::Builder::new().name(name).spawn(answer_all) {
                Ok(_) => self.threads += 1,
                Err(error) if self.threads == 0 => return Err(error),
                Err(_) => {} // it has to wait for another
            }
        }
        self.waiting.push_back(question);
        Ok(())
    }

    /// The next question, or none, and then the caller has to end.
    fn next(&mut self) -> Option<Arc<Question>> {
        let next = self.waiting.pop_front();
        self.threads -= usize::from(next.is_none());
        next
    }
}

fn answer_all() {
    loop {
        let next = lock(&COUNTER).next();
        match next {
            // Nobody else has it: its future was dropped.
            Some(question) if Arc::strong_count(&question) == 1 => {}
            Some(question) => question.answer(),
            None => return,
        }
    }
}

/// What is behind these locks is whole between any two statements, so a panic elsewhere does no harm to it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use core::time::Duration;
    use std::sync::RwLock;

    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use tacket::{Clock as _, timeout};

    use super::*;
    use crate::MonotonicClock;

    /// Held by each test that occupies threads, for those are of the whole process.
    static THREADS: Mutex<()> = Mutex::new(());

    #[test]
    fn names_have_labels_of_1_to_63_bytes_and_253_in_all() {
        let label = "x".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "x".repeat(61));
        for name in ["a", "localhost", "a.b.", "_x.y-z", &label, &longest] {
            assert!(could_be_name(name), "{name:?}");
        }
        let too_long = format!("{longest}x");
        let label_too_long = format!("{label}x.org");
        for name in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a\0b",
            "a b",
            "a\n",
            "fe80::1%lo",
        ] {
            assert!(!could_be_name(name), "{name:?}");
        }
        assert!(!could_be_name(&too_long) && !could_be_name(&label_too_long));
    }

    #[test]
    fn addresses_are_told_once_in_their_order() {
        let [one, two] = [1, 2].map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)));
        let told = without_repetition([two, one, two, two, one].into_iter());
        assert_eq!(told, [two, one]);
    }

    #[test]
    fn many_questions_share_few_threads_and_those_that_were_dropped_are_not_asked() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
        static MOST_AT_ONCE: AtomicUsize = AtomicUsize::new(0);
        static GATE: Mutex<()> = Mutex::new(());

        fn slow(host: &str) -> io::Result<Vec<IpAddr>> {
            ASKED.fetch_add(1, Ordering::Relaxed);
            let at_once = AT_ONCE.fetch_add(1, Ordering::Relaxed) + 1;
            MOST_AT_ONCE.fetch_max(at_once, Ordering::Relaxed);
            drop(lock(&GATE));
            AT_ONCE.fetch_sub(1, Ordering::Relaxed);
            host.parse().map(|ip| vec![ip]).map_err(io::Error::other)
        }

        let _threads = lock(&THREADS);
        let gate = lock(&GATE);
        let names: Vec<_> = (0..40).map(|last| format!("127.0.0.{last}")).collect();
        let mut asking = join_all(names.iter().map(|name| ask(name, slow)));
        assert!((&mut asking).now_or_never().is_none());
        let mut dropped = ask("127.0.0.200", slow).boxed_local();
        assert!((&mut dropped).now_or_never().is_none());
        drop(dropped);
        while AT_ONCE.load(Ordering::Relaxed) < MOST_THREADS {
            thread::yield_now();
        }
        drop(gate);
        let answers = crate::run(asking).expect("an event loop");
        for (name, answer) in names.iter().zip(answers) {
            let expected: IpAddr = name.parse().expect("an address");
            assert_eq!(answer.expect("an answer"), [expected]);
        }
        assert_eq!(MOST_AT_ONCE.load(Ordering::Relaxed), MOST_THREADS);
        assert_eq!(ASKED.load(Ordering::Relaxed), names.len());
    }

    /// A resolver that does not answer before `SILENCE` is over, and how many questions it has.
    static SILENCE: RwLock<()> = RwLock::new(());
    static ASKED: AtomicUsize = AtomicUsize::new(0);

    fn silent(host: &str) -> io::Result<Vec<IpAddr>> {
        ASKED.fetch_add(1, Ordering::Relaxed);
        drop(SILENCE.read());
        host.parse().map(|ip| vec![ip]).map_err(io::Error::other)
    }

    const BRIEFLY: Duration = Duration::from_millis(2);

    #[test]
    fn a_resolver_that_never_answers_keeps_only_those_that_ask_it() {
        let _threads = lock(&THREADS);
        let silence = SILENCE.write();
        let clock = MonotonicClock::new();
        // More than there are threads: the last is not even asked.
        let names: Vec<_> = (0..=MOST_THREADS)
            .map(|last| format!("127.0.0.{last}"))
            .collect();
        let mut last = ask("127.0.0.100", silent).boxed_local();
        crate::run(async {
            let mut asking = join_all(names.iter().map(|name| ask(name, silent)));
            assert!((&mut asking).now_or_never().is_none());
            assert!((&mut last).now_or_never().is_none());
            while ASKED.load(Ordering::Relaxed) < MOST_THREADS {
                clock.sleep_until(clock.now() + BRIEFLY).await;
            }
            let limited = timeout(&clock, BRIEFLY, &mut asking).await;
            limited.expect_err("nobody answers");
            // An address is no question.
            let mut found = [Ipv4Addr::UNSPECIFIED.into()];
            let known = resolve("127.0.0.1", &mut found).now_or_never();
            assert_eq!(known.expect("at once").expect("an address"), 1);
        })
        .expect("an event loop");
        assert!((&mut last).now_or_never().is_none());
        assert_eq!(ASKED.load(Ordering::Relaxed), MOST_THREADS);

        // Once it speaks, who has waited all the time is answered, and who has gone is not asked for any more.
        drop(silence);
        let limited = timeout(&clock, Duration::from_secs(20), last);
        let answer = crate::run(limited).expect("an event loop");
        let answer = answer.expect("its turn comes").expect("an answer");
        assert_eq!(answer, [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 100))]);
        assert_eq!(ASKED.load(Ordering::Relaxed), MOST_THREADS + 1);
    }
}
